/** What lies where in a data folder. */
export const DATABASE = "records.sqlite";
export const BLOBS = "blobs";
