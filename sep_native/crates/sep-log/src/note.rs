use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest, Sha256};

use crate::Hash;

const ED25519: u8 = 1;

/// The key of one log, which signs its checkpoints as C2SP signed notes. Its bytes are wiped when it goes.
#[derive(Debug)]
pub struct NoteSigner {
    origin: String,
    key: SigningKey,
    key_id: [u8; 4],
}

impl NoteSigner {
    /// The key of a 32-byte seed under the name of a log.
    pub fn new(origin: String, seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let digest = Sha256::new()
            .chain_update(origin.as_bytes())
            .chain_update([b'\n', ED25519])
            .chain_update(key.verifying_key().as_bytes())
            .finalize();
        let mut key_id = [0; 4];
        key_id.copy_from_slice(&digest[..4]);
        Self {
            origin,
            key,
            key_id,
        }
    }

    /// The name under which it signs.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The public half.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The four bytes before each of its signatures, in hexadecimal.
    pub fn key_id(&self) -> String {
        format!("{:08x}", u32::from_be_bytes(self.key_id))
    }

    /// The signed note of a checkpoint.
    pub fn sign(&self, epoch: u64, size: u64, root: &Hash) -> String {
        let mut note = Vec::with_capacity(384);
        // Writing into memory does not fail.
        let _ = write!(
            note,
            "{}\n{size}\n{}\nepoch {epoch}\n",
            self.origin,
            STANDARD.encode(root)
        );
        let signature = self.key.sign(&note).to_bytes();
        let mut signed = [0; 68];
        signed[..4].copy_from_slice(&self.key_id);
        signed[4..].copy_from_slice(&signature);
        let _ = writeln!(
            note,
            "\n\u{2014} {} {}",
            self.origin,
            STANDARD.encode(signed)
        );
        String::from_utf8(note).unwrap_or_default()
    }
}
