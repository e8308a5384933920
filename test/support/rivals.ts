/** How many requests for one row are at once. DynamoDB Local fails one that waits for 10 s for a lock, as some of 50 do on a busy machine. */
export const RIVALS = { local: 50, aws: 20 };
