use std::fmt::Write as _;

use aes::Aes128;
use alloy_primitives::{Address, hex, keccak256};
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit, StreamCipher},
};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A private key in transit; wiped when dropped.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

const CIPHER: &str = "aes-128-ctr";
/// What scrypt may use: geth's standard cost takes a quarter of it.
const MEMORY_LIMIT_BYTES: u64 = 1 << 30;
const ITERATION_LIMIT: u32 = 10_000_000;

/// The document of a version 3 key file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeyFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    version: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParameters,
    ciphertext: String,
    kdf: String,
    kdfparams: KdfParameters,
    mac: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct CipherParameters {
    iv: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct KdfParameters {
    dklen: u32,
    salt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prf: Option<String>,
}

/// Random parts of a new key file, drawn by the caller.
pub(crate) struct Entropy {
    pub(crate) salt: [u8; 32],
    pub(crate) iv: [u8; 16],
    pub(crate) id: [u8; 16],
}

/// Why a key file did not open.
pub(crate) enum Unopened {
    Format(String),
    Password,
}

impl KeyFile {
    /// Encrypts `key` under `password` with scrypt cost `2^log_n`, `r` 8, `p` 1.
    pub(crate) fn seal(
        key: &Secret,
        address: Address,
        password: &[u8],
        log_n: u8,
        entropy: &Entropy,
    ) -> Result<Self, String> {
        let kdfparams = KdfParameters {
            dklen: 32,
            salt: hex::encode(entropy.salt),
            n: Some(1 << log_n),
            r: Some(8),
            p: Some(1),
            c: None,
            prf: None,
        };
        let derived = kdfparams.derive("scrypt", password)?;
        let mut ciphertext = Zeroizing::new(key.to_vec());
        apply_cipher(&derived, &entropy.iv, &mut ciphertext)?;
        Ok(Self {
            address: Some(hex::encode(address)),
            crypto: Crypto {
                cipher: CIPHER.to_owned(),
                cipherparams: CipherParameters {
                    iv: hex::encode(entropy.iv),
                },
                mac: hex::encode(mac(&derived, &ciphertext)),
                ciphertext: hex::encode(&*ciphertext),
                kdf: "scrypt".to_owned(),
                kdfparams,
            },
            id: Some(uuid_text(entropy.id)),
            version: 3,
        })
    }

    /// Decrypts the key; a wrong password and an altered ciphertext are the same to it.
    pub(crate) fn unseal(&self, password: &[u8]) -> Result<Secret, Unopened> {
        let crypto = &self.crypto;
        if self.version != 3 {
            return Err(Unopened::Format(format!(
                "version {} is not 3",
                self.version
            )));
        }
        if crypto.cipher != CIPHER {
            return Err(Unopened::Format(format!(
                "cipher {:?} is not {CIPHER}",
                crypto.cipher
            )));
        }
        let iv: [u8; 16] =
            fixed("crypto.cipherparams.iv", &crypto.cipherparams.iv).map_err(Unopened::Format)?;
        let sealed: [u8; 32] =
            fixed("crypto.ciphertext", &crypto.ciphertext).map_err(Unopened::Format)?;
        let expected: [u8; 32] = fixed("crypto.mac", &crypto.mac).map_err(Unopened::Format)?;
        let derived = crypto
            .kdfparams
            .derive(&crypto.kdf, password)
            .map_err(Unopened::Format)?;
        let found = mac(&derived, &sealed);
        if found
            .iter()
            .zip(expected)
            .fold(0, |differences, (a, b)| differences | (a ^ b))
            != 0
        {
            return Err(Unopened::Password);
        }
        let mut key = Zeroizing::new(sealed);
        apply_cipher(&derived, &iv, key.as_mut_slice()).map_err(Unopened::Format)?;
        Ok(key)
    }

    /// The address that the file states, if it states one.
    pub(crate) fn stated_address(&self) -> Option<&str> {
        self.address.as_deref()
    }
}

impl KdfParameters {
    fn derive(&self, kdf: &str, password: &[u8]) -> Result<Secret, String> {
        if self.dklen != 32 {
            return Err(format!("crypto.kdfparams.dklen {} is not 32", self.dklen));
        }
        let salt = hex::decode(&self.salt)
            .map_err(|_| "crypto.kdfparams.salt is not hexadecimal".to_owned())?;
        let mut derived = Zeroizing::new([0; 32]);
        match (kdf, self.n, self.r, self.p, self.c) {
            ("scrypt", Some(n), Some(r), Some(p), _) => {
                let memory = n.saturating_mul(u64::from(r)).saturating_mul(128);
                if !n.is_power_of_two() || n < 2 || memory > MEMORY_LIMIT_BYTES || p > 16 {
                    return Err(format!(
                        "scrypt cost n={n} r={r} p={p} is outside what is allowed"
                    ));
                }
                let log_n = u8::try_from(n.trailing_zeros()).unwrap_or(u8::MAX);
                let parameters =
                    scrypt::Params::new(log_n, r, p).map_err(|error| error.to_string())?;
                scrypt::scrypt(password, &salt, &parameters, derived.as_mut_slice())
                    .map_err(|error| error.to_string())?;
            }
            ("pbkdf2", _, _, _, Some(c)) => {
                if self.prf.as_deref() != Some("hmac-sha256") || c == 0 || c > ITERATION_LIMIT {
                    return Err(
                        "pbkdf2 needs prf hmac-sha256 and 1 to 10000000 iterations".to_owned()
                    );
                }
                pbkdf2::pbkdf2_hmac::<Sha256>(password, &salt, c, derived.as_mut_slice());
            }
            _ => {
                return Err(format!(
                    "kdf {kdf:?} is neither scrypt (n, r, p) nor pbkdf2 (c, prf)"
                ));
            }
        }
        Ok(derived)
    }
}

fn apply_cipher(derived: &Secret, iv: &[u8; 16], bytes: &mut [u8]) -> Result<(), String> {
    let mut cipher = Ctr128BE::<Aes128>::new_from_slices(&derived[..16], iv)
        .map_err(|error| error.to_string())?;
    cipher.apply_keystream(bytes);
    Ok(())
}

fn mac(derived: &Secret, ciphertext: &[u8]) -> [u8; 32] {
    let mut message = Zeroizing::new(derived[16..].to_vec());
    message.extend_from_slice(ciphertext);
    keccak256(&*message).0
}

fn fixed<const N: usize>(name: &str, text: &str) -> Result<[u8; N], String> {
    hex::decode_to_array(text).map_err(|_| format!("{name} is not {N} bytes of hexadecimal"))
}

/// A random (version 4) UUID from 16 random bytes.
fn uuid_text(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}
