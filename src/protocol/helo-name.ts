/** The name by which an SMTP client greets. */

export const HELO_NAME_MAX_CHARS = 255 // RFC 5321 §4.5.3.1.2
/** More than a domain or address literal (RFC 5321 §4.1.3), because it is not trusted; nothing that breaks a header. */
export const HELO_NAME = /^[A-Za-z0-9._:[\]-]+$/
