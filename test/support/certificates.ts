/** Certificates for TLS tests, made by OpenSSL: an authority, a server for 127.0.0.1, and clients. */

import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { toolPath } from "./tools.ts";

const run = promisify(execFile);

export interface KeyPair {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Certificates {
  readonly caFile: string;
  readonly server: KeyPair;
  readonly client: KeyPair;
  /** A further client certificate by the same authority, for that common name. */
  issue(commonName: string): Promise<KeyPair>;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes the authority and its first certificates in `folder`; the client's common name is `clientName`. */
export async function makeCertificates(folder: string, clientName: string): Promise<Certificates> {
  const openssl = toolPath("openssl");
  const caFile = join(folder, "ca.pem");
  const caKeyFile = join(folder, "ca.key");
  const authority = ["-x509", "-days", "2", "-subj", "/CN=skerry test authority"];
  await run(openssl, ["req", ...NEW_KEY, ...authority, "-keyout", caKeyFile, "-out", caFile]);

  const issue = async (fileName: string, commonName: string, extensions: string): Promise<KeyPair> => {
    const at = (ending: string): string => join(folder, `${fileName}.${ending}`);
    await writeFile(at("ext"), extensions);
    await run(openssl, [
      "req",
      ...NEW_KEY,
      "-subj",
      `/CN=${commonName}`,
      "-keyout",
      at("key"),
      "-out",
      at("csr"),
    ]);
    const by = ["-CA", caFile, "-CAkey", caKeyFile, "-CAcreateserial", "-days", "2", "-extfile", at("ext")];
    await run(openssl, ["x509", "-req", "-in", at("csr"), ...by, "-out", at("pem")]);
    return { certFile: at("pem"), keyFile: at("key") };
  };
  const issueClient = (commonName: string): Promise<KeyPair> =>
    issue(`client-${commonName}`, commonName, "extendedKeyUsage=clientAuth\n");

  const server = await issue("server", "localhost", "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  return { caFile, server, client: await issueClient(clientName), issue: issueClient };
}
