// Where in the browser of buckets the page is, kept in its address, so that back, reload and links work.

/** The link to a bucket, a prefix in it, or an object. */
export function addressOf({ bucket, prefix, key }) {
  const fields = new URLSearchParams();
  if (bucket) fields.set("bucket", bucket);
  const folder = prefix ?? (key ? key.slice(0, key.lastIndexOf("/") + 1) : "");
  if (folder) fields.set("prefix", folder);
  if (key) fields.set("key", key);
  return `#${fields}`;
}

export function placeOf(hash) {
  const fields = new URLSearchParams(hash.slice(1));
  return { bucket: fields.get("bucket") ?? "", prefix: fields.get("prefix") ?? "", key: fields.get("key") ?? "" };
}
