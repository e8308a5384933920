/**
 * An e-mail address that only its owner recognises: the first two characters (code points) of the local
 * part, `***` and the domain. A local part of one or two characters stays whole. An empty string for what is not
 * `local@domain`.
 */
export function maskedEmail(email: string): string {
  const [local, domain, ...rest] = email.split("@");
  if (!local || !domain || rest.length > 0) return "";
  const characters = [...local];
  return characters.length <= 2 ? email : `${characters.slice(0, 2).join("")}***@${domain}`;
}
