/** The names in a data folder. */
export const DATABASE = "records.sqlite";
export const BLOBS = "blobs";
