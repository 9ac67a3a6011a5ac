//! One event of the log as bytes: the RFC 8785 subset in which every encoder agrees, and the places that are filled last.

use crate::Hash;

/// The most bytes that one record may take.
pub const LARGEST_RECORD_BYTES: usize = 256 * 1024;
/// `pos`, `prev`, `rec`, `ver` and their keys at their widest.
pub const ROOM_FOR_PLACE_BYTES: usize = 256;
/// The largest integer that a record holds as a number; whatever lies beyond is text.
pub const LARGEST_INTEGER: i64 = (1 << 53) - 1;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What a record says about its place in the log.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Position in the log, from 1.
    pub pos: u64,
    /// Leaf hash of the stream's previous event.
    pub previous: Option<&'a Hash>,
    /// When it was recorded, `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
    pub recorded: &'a [u8],
    /// Version in the stream, from 1.
    pub version: u64,
}

/// Writes the record of an event whose other parts stand in `head`, an object of its own, and `tail`.
pub fn write_record(out: &mut Vec<u8>, head: &[u8], tail: &[u8], place: Place<'_>) {
    let Place {
        pos,
        previous,
        recorded,
        version,
    } = place;
    out.extend_from_slice(head.strip_suffix(b"}").unwrap_or(head));
    out.extend_from_slice(b",\"pos\":");
    write_number(out, pos);
    match previous {
        None => out.extend_from_slice(b",\"prev\":null,\"rec\":\""),
        Some(hash) => {
            out.extend_from_slice(b",\"prev\":\"0x");
            write_hex(out, hash);
            out.extend_from_slice(b"\",\"rec\":\"");
        }
    }
    out.extend_from_slice(recorded);
    out.extend_from_slice(tail);
    write_number(out, version);
    out.push(b'}');
}

/// Writes a string as RFC 8785 does: short escapes where JSON has them, `\u00xx` for other controls, all else as it is.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.push(b'"');
    let mut clean = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[clean..index]);
        clean = index + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            _ => {
                out.extend_from_slice(b"\\u00");
                write_hex(out, &[byte]);
            }
        }
    }
    out.extend_from_slice(&bytes[clean..]);
    out.push(b'"');
}

/// Writes an integer, or refuses one beyond 2^53 - 1 and leaves `out` as it was.
pub fn write_integer(out: &mut Vec<u8>, value: i64) -> bool {
    if !(-LARGEST_INTEGER..=LARGEST_INTEGER).contains(&value) {
        return false;
    }
    if value < 0 {
        out.push(b'-');
    }
    write_number(out, value.unsigned_abs());
    true
}

/// Writes decimal digits.
pub fn write_number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = HEX[(value % 10) as usize];
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Writes a quoted UUID in lower case.
pub fn write_uuid(out: &mut Vec<u8>, bytes: &[u8; 16]) {
    out.push(b'"');
    for (index, part) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        write_hex(out, &[*part]);
    }
    out.push(b'"');
}

fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

/// Whether a key of an object is of the form `[a-z][a-z0-9_]*`, over which every order of keys is the same.
pub fn is_key(text: &str) -> bool {
    has_form(
        text,
        usize::MAX,
        |byte| byte.is_ascii_lowercase(),
        |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_',
    )
}

/// Whether a name is of the form `[A-Za-z0-9][A-Za-z0-9._:/@+-]*`, 255 characters at most.
pub fn is_stream(text: &str) -> bool {
    has_form(
        text,
        255,
        |byte| byte.is_ascii_alphanumeric(),
        |byte| byte.is_ascii_alphanumeric() || b"._:/@+-".contains(&byte),
    )
}

/// Whether an event type is of the form `[A-Za-z][A-Za-z0-9_.]*`, 128 characters at most.
pub fn is_type(text: &str) -> bool {
    has_form(
        text,
        128,
        |byte| byte.is_ascii_alphabetic(),
        |byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.',
    )
}

fn has_form(
    text: &str,
    most: usize,
    first: impl Fn(u8) -> bool,
    rest: impl Fn(u8) -> bool,
) -> bool {
    match text.as_bytes().split_first() {
        Some((&head, tail)) => {
            text.len() <= most && first(head) && tail.iter().all(|&byte| rest(byte))
        }
        None => false,
    }
}
