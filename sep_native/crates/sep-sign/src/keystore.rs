use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use alloy_primitives::{Address, hex};
use k256::ecdsa::SigningKey;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    SignError, SignedTransaction, Transaction1559,
    keyfile::{Entropy, KeyFile, Secret, Unopened},
};

/// The scrypt cost of new key files, as geth's: a quarter of a gigabyte and about a second.
pub const DEFAULT_SCRYPT_LOG_N: u8 = 18;

const FILE_LIMIT_BYTES: u64 = 64 * 1024;

/// One unlocked signing key, held in memory that is wiped when it is dropped.
pub struct Keystore {
    key: SigningKey,
    address: Address,
}

impl Keystore {
    /// Draws a new key and writes its encrypted file, mode 0600; an existing file is refused.
    pub fn create(path: &Path, password: &[u8], scrypt_log_n: u8) -> Result<Self, SignError> {
        let mut secret: Secret = Zeroizing::new([0; 32]);
        loop {
            fill(secret.as_mut_slice())?;
            if SigningKey::from_slice(secret.as_slice()).is_ok() {
                return Self::store(path, &secret, password, scrypt_log_n);
            }
        }
    }

    /// Writes the encrypted file of a key that is known already, as test chains' keys are.
    pub fn import(
        path: &Path,
        private_key: &[u8],
        password: &[u8],
        scrypt_log_n: u8,
    ) -> Result<Self, SignError> {
        let mut secret: Secret = Zeroizing::new([0; 32]);
        if private_key.len() != secret.len() {
            return Err(SignError::Key);
        }
        secret.copy_from_slice(private_key);
        Self::store(path, &secret, password, scrypt_log_n)
    }

    /// Opens a key file that only its owner can read.
    pub fn open(path: &Path, password: &[u8]) -> Result<Self, SignError> {
        let file = File::open(path).map_err(|error| SignError::file(path, &error))?;
        check_file(&file, path)?;
        let mut text = String::new();
        file.take(FILE_LIMIT_BYTES)
            .read_to_string(&mut text)
            .map_err(|error| SignError::file(path, &error))?;
        let document: KeyFile =
            serde_json::from_str(&text).map_err(|error| SignError::format(path, &error))?;
        let secret = document
            .unseal(password)
            .map_err(|unopened| match unopened {
                Unopened::Password => SignError::Password(path.to_owned()),
                Unopened::Format(reason) => SignError::format(path, &reason),
            })?;
        let keystore = Self::unlocked(&secret)?;
        match document.stated_address() {
            Some(stated) if !is_address(stated, keystore.address) => Err(SignError::format(
                path,
                &format!(
                    "it states address {stated}, its key has {}",
                    keystore.address
                ),
            )),
            _ => Ok(keystore),
        }
    }

    /// The address of the key.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Signs one transaction, deterministically (RFC 6979, low `s`).
    pub fn sign_transaction(
        &self,
        transaction: &Transaction1559,
    ) -> Result<SignedTransaction, SignError> {
        transaction.sign(&self.key)
    }

    fn store(path: &Path, secret: &Secret, password: &[u8], log_n: u8) -> Result<Self, SignError> {
        if !(1..=20).contains(&log_n) {
            return Err(SignError::Cost(log_n));
        }
        if path.symlink_metadata().is_ok() {
            return Err(SignError::Exists(path.to_owned()));
        }
        let keystore = Self::unlocked(secret)?;
        let mut entropy = Entropy {
            salt: [0; 32],
            iv: [0; 16],
            id: [0; 16],
        };
        fill(&mut entropy.salt)?;
        fill(&mut entropy.iv)?;
        fill(&mut entropy.id)?;
        let document = KeyFile::seal(secret, keystore.address, password, log_n, &entropy)
            .map_err(|reason| SignError::format(path, &reason))?;
        let text =
            serde_json::to_string(&document).map_err(|error| SignError::format(path, &error))?;
        write_new(path, text.as_bytes(), &hex::encode(&entropy.id[..8]))?;
        Ok(keystore)
    }

    fn unlocked(secret: &Secret) -> Result<Self, SignError> {
        let key = SigningKey::from_slice(secret.as_slice()).map_err(|_| SignError::Key)?;
        let address = Address::from_private_key(&key);
        Ok(Self { key, address })
    }
}

impl fmt::Debug for Keystore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Keystore")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Writes whole or not at all: a finished neighbour is linked to the path, which fails where something is.
fn write_new(path: &Path, bytes: &[u8], tag: &str) -> Result<(), SignError> {
    let failed = |error: std::io::Error| SignError::file(path, &error);
    let neighbour = neighbour(path, tag);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&neighbour).map_err(failed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| fs::hard_link(&neighbour, path));
    let removed = fs::remove_file(&neighbour);
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(SignError::Exists(path.to_owned()))
        }
        Err(error) => Err(failed(error)),
        Ok(()) => removed.and_then(|()| sync_folder(path)).map_err(failed),
    }
}

fn neighbour(path: &Path, tag: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{tag}.new"));
    path.with_file_name(name)
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn check_file(file: &File, path: &Path) -> Result<(), SignError> {
    let metadata = file
        .metadata()
        .map_err(|error| SignError::file(path, &error))?;
    if !metadata.is_file() {
        return Err(SignError::file(path, &"it is not a regular file"));
    }
    if metadata.len() >= FILE_LIMIT_BYTES {
        return Err(SignError::format(path, &"it is longer than 64 KiB"));
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SignError::Permissions {
                path: path.to_owned(),
                mode,
            });
        }
    }
    Ok(())
}

fn is_address(text: &str, address: Address) -> bool {
    hex::decode(text).is_ok_and(|bytes| bytes == address.as_slice())
}

fn fill(bytes: &mut [u8]) -> Result<(), SignError> {
    getrandom::fill(bytes).map_err(|error| {
        bytes.zeroize();
        SignError::Random(error.to_string())
    })
}
