//! Key files and signatures against published vectors.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use alloy_primitives::{Address, Bytes, U256, address, hex};
use proptest::prelude::*;
use sep_sign::{Keystore, SignError, Transaction1559, recover_transaction};

/// First key of the mnemonic that every local test chain publishes.
const KNOWN_KEY: [u8; 32] =
    hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
const KNOWN_ADDRESS: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sep-sign-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn call(nonce: u64) -> Transaction1559 {
    Transaction1559 {
        chain_id: 1,
        nonce,
        to: Address::repeat_byte(7),
        value: U256::from(5),
        data: Bytes::from_static(b"\x01\x02"),
        gas_limit: 21_000,
        max_fee_per_gas: 30,
        max_priority_fee_per_gas: 2,
    }
}

#[test]
fn a_new_key_opens_again_and_is_never_overwritten() {
    let path = folder("new").join("main.json");
    let made = Keystore::create(&path, b"secret", 2).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    assert_eq!(
        Keystore::open(&path, b"secret").unwrap().address(),
        made.address()
    );
    assert!(matches!(
        Keystore::open(&path, b"Secret"),
        Err(SignError::Password(_))
    ));
    assert!(matches!(
        Keystore::create(&path, b"secret", 2),
        Err(SignError::Exists(_))
    ));
    assert_eq!(
        Keystore::open(&path, b"secret").unwrap().address(),
        made.address()
    );
}

#[test]
fn a_file_open_to_others_is_refused() {
    let path = folder("mode").join("main.json");
    Keystore::import(&path, &KNOWN_KEY, b"", 2).unwrap();
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Keystore::open(&path, b"").unwrap_err();
        assert!(
            error.to_string().contains(&format!("{mode:04o}")),
            "{error}"
        );
        assert!(error.next_step().starts_with("chmod 600 /"), "{error}");
    }
}

#[test]
fn altered_files_are_refused_without_panic() {
    let path = folder("altered").join("main.json");
    Keystore::import(&path, &KNOWN_KEY, b"pw", 2).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let reopened = |altered: &str| {
        fs::write(&path, altered).unwrap();
        Keystore::open(&path, b"pw")
    };
    assert!(matches!(
        reopened(&text.replace("\"dklen\":32", "\"dklen\":16")),
        Err(SignError::Format { .. })
    ));
    assert!(matches!(
        reopened(&text.replace("\"n\":4", "\"n\":1073741824")),
        Err(SignError::Format { .. })
    ));
    assert!(matches!(
        reopened(&text.replace("aes-128-ctr", "none")),
        Err(SignError::Format { .. })
    ));
    assert!(matches!(
        reopened(&text.replace("\"version\":3", "\"version\":1")),
        Err(SignError::Format { .. })
    ));
    assert!(matches!(
        reopened(&text[..text.len() / 2]),
        Err(SignError::Format { .. })
    ));
    assert!(matches!(reopened(""), Err(SignError::Format { .. })));
    let other = text.replace("f39fd6e5", "f39fd6e6");
    assert!(
        reopened(&other)
            .unwrap_err()
            .to_string()
            .contains("states address")
    );
}

#[test]
fn the_published_key_file_opens() {
    // The pbkdf2 vector of the Web3 secret storage definition.
    let path = folder("published").join("key.json");
    let text = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2",
        "kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256",
        "salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
        "mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},
        "id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let found = Keystore::open(&path, b"testpassword").unwrap().address();
    assert_eq!(found, address!("008aeeda4d805471df9b2a5b0f38a0c3bcba786b"));
}

#[test]
fn keys_that_are_none_are_refused() {
    let path = folder("none").join("main.json");
    for bytes in [&[0_u8; 32][..], &[0xff; 32], &[1; 31], &[]] {
        assert!(matches!(
            Keystore::import(&path, bytes, b"", 2),
            Err(SignError::Key)
        ));
    }
    assert!(matches!(
        Keystore::import(&path, &KNOWN_KEY, b"", 21),
        Err(SignError::Cost(21))
    ));
    assert!(!path.exists());
}

#[test]
fn nonsense_is_not_signed() {
    let keystore = Keystore::import(&folder("nonsense").join("a"), &KNOWN_KEY, b"", 1).unwrap();
    assert!(
        keystore
            .sign_transaction(&Transaction1559 {
                chain_id: 0,
                ..call(0)
            })
            .is_err()
    );
    assert!(keystore.sign_transaction(&call(u64::MAX)).is_err());
    assert!(
        keystore
            .sign_transaction(&Transaction1559 {
                max_priority_fee_per_gas: 31,
                ..call(0)
            })
            .is_err()
    );
    assert!(!format!("{keystore:?}").contains("ac0974"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_signed_is_read_back(
        chain_id in 1_u64.., nonce in 0..u64::MAX, value in any::<[u8; 32]>(), to in any::<[u8; 20]>(),
        data in prop::collection::vec(any::<u8>(), 0..300), gas_limit in any::<u64>(), fees in any::<(u128, u128)>(),
        flip in any::<prop::sample::Index>(),
    ) {
        let keystore = Keystore::import(&folder("property").join("a"), &KNOWN_KEY, b"", 1).unwrap();
        let transaction = Transaction1559 {
            chain_id, nonce, to: to.into(), value: U256::from_be_bytes(value), data: data.into(), gas_limit,
            max_fee_per_gas: fees.0.max(fees.1), max_priority_fee_per_gas: fees.0.min(fees.1),
        };
        let signed = keystore.sign_transaction(&transaction).unwrap();
        prop_assert_eq!(&signed, &keystore.sign_transaction(&transaction).unwrap());
        let read = recover_transaction(&signed.raw).unwrap();
        prop_assert_eq!(read.sender, KNOWN_ADDRESS);
        prop_assert_eq!(read.hash, signed.hash);
        prop_assert_eq!(read.transaction, transaction);

        let mut longer = signed.raw.clone();
        longer.push(0);
        prop_assert!(recover_transaction(&longer).is_err());
        let mut altered = signed.raw.clone();
        altered[flip.index(signed.raw.len())] ^= 1;
        prop_assert!(recover_transaction(&altered).map_or(true, |other| other.hash != signed.hash));
    }
}
