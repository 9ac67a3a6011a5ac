//! Vectors of RFC 6962 (as in the reference implementation of certificate transparency) and properties of the tree.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use proptest::prelude::*;
use sep_log::{
    Hash, SUBTREE_WIDTH, Segments, Tree, TreeError, consistency_proof_from_subtrees, empty_root,
    inclusion_proof, inclusion_proof_from_subtrees, leaf_hash, node_hash, split_hashes,
    subtree_root, tree_root, verify_consistency, verify_inclusion,
};

const RECORDS: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn hash(hex: &str) -> Hash {
    bytes(hex).try_into().unwrap()
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

#[test]
fn the_empty_tree_hashes_nothing() {
    assert_eq!(
        empty_root(),
        hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    );
    assert_eq!(Tree::default().root(), empty_root());
    assert_eq!(tree_root(&[]), empty_root());
}

#[test]
fn roots_equal_the_published_ones() {
    let mut tree = Tree::default();
    for (record, root) in RECORDS.iter().zip(ROOTS) {
        tree.append(leaf_hash(&bytes(record)));
        assert_eq!(tree.root(), hash(root));
    }
}

#[test]
fn proofs_equal_the_published_ones() {
    let hashes: Vec<Hash> = RECORDS
        .iter()
        .map(|record| leaf_hash(&bytes(record)))
        .collect();
    let first_of_eight: Vec<Hash> = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    .map(hash)
    .to_vec();
    assert_eq!(inclusion_proof(&hashes, 0).unwrap(), first_of_eight);
    let sixth_of_eight: Vec<Hash> = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    .map(hash)
    .to_vec();
    assert_eq!(inclusion_proof(&hashes, 5).unwrap(), sixth_of_eight);
    let second_of_five: Vec<Hash> = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]
    .map(hash)
    .to_vec();
    assert_eq!(inclusion_proof(&hashes[..5], 1).unwrap(), second_of_five);
    let third = inclusion_proof(&hashes[..3], 2).unwrap();
    assert_eq!(third, vec![hash(ROOTS[1])]);
}

#[test]
fn what_is_no_tree_is_refused() {
    assert_eq!(split_hashes(&[0; 33]), Err(TreeError::Ragged(33)));
    assert!(matches!(
        Tree::resume(3, vec![[0; 32]]),
        Err(TreeError::Peaks {
            expected: 2,
            found: 1,
            ..
        })
    ));
    assert_eq!(
        inclusion_proof(&leaves(3), 3),
        Err(TreeError::OutOfRange { index: 3, size: 3 })
    );
    assert_eq!(subtree_root(&leaves(3)), Err(TreeError::NotASubtree(3)));
    assert_eq!(subtree_root(&[]), Err(TreeError::NotASubtree(0)));
    let tail = leaves(SUBTREE_WIDTH);
    let segments = Segments {
        subtrees: &[],
        block: &[],
        tail: &tail,
    };
    assert_eq!(
        inclusion_proof_from_subtrees(0, segments),
        Err(TreeError::Tail(SUBTREE_WIDTH))
    );
    let root = subtree_root(&tail).unwrap();
    let segments = Segments {
        subtrees: &[root],
        block: &[],
        tail: &[],
    };
    assert!(matches!(
        inclusion_proof_from_subtrees(0, segments),
        Err(TreeError::Block { found: 0, .. })
    ));
}

/// The definition of RFC 9162, section 2.1.1, word for word: the oracle of the fast forms.
fn defined_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        many => {
            let mut width = 1;
            while width * 2 < many.len() {
                width *= 2;
            }
            node_hash(&defined_root(&many[..width]), &defined_root(&many[width..]))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_of_the_appends_gives_the_defined_root(count in 0_usize..600, cut in 0_usize..600) {
        let all = leaves(count);
        let cut = cut.min(count);
        let mut first = Tree::default();
        first.extend(&all[..cut]);
        let mut second = Tree::resume(first.size(), first.peaks().to_vec()).unwrap();
        second.extend(&all[cut..]);
        prop_assert_eq!(second.root(), defined_root(&all));
        prop_assert_eq!(tree_root(&all), defined_root(&all));
    }

    #[test]
    fn proofs_verify_and_nothing_else_does(count in 1_usize..1_600, pick in any::<prop::sample::Index>(), bit in 0_usize..256) {
        let all = leaves(count);
        let index = pick.index(count);
        let place = index as u64;
        let size = count as u64;
        let root = tree_root(&all);
        let proof = inclusion_proof(&all, place).unwrap();
        prop_assert!(verify_inclusion(&all[index], place, size, &proof, &root));
        prop_assert!(!verify_inclusion(&all[index], size, size, &proof, &root));
        let mut longer = proof.clone();
        longer.push([0; 32]);
        prop_assert!(!verify_inclusion(&all[index], place, size, &longer, &root));
        let mut forged = all[index];
        forged[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!verify_inclusion(&forged, place, size, &proof, &root));
        if !proof.is_empty() {
            let mut altered = proof.clone();
            altered[bit % proof.len()][0] ^= 1;
            prop_assert!(!verify_inclusion(&all[index], place, size, &altered, &root));
        }

        let full = count / SUBTREE_WIDTH * SUBTREE_WIDTH;
        let subtrees: Vec<Hash> =
            all[..full].chunks(SUBTREE_WIDTH).map(|block| subtree_root(block).unwrap()).collect();
        let start = index / SUBTREE_WIDTH * SUBTREE_WIDTH;
        let block = if index < full { &all[start..start + SUBTREE_WIDTH] } else { &[][..] };
        let segments = Segments { subtrees: &subtrees, block, tail: &all[full..] };
        prop_assert_eq!(inclusion_proof_from_subtrees(place, segments).unwrap(), proof);
    }

    #[test]
    fn growth_is_proved_and_nothing_else_is(
        second in 1_usize..1_600,
        pick in any::<prop::sample::Index>(),
        bit in 0_usize..256,
    ) {
        let first = pick.index(second + 1);
        let all = leaves(second);
        let full = second / SUBTREE_WIDTH;
        let subtrees: Vec<Hash> = all.chunks_exact(SUBTREE_WIDTH).map(tree_root).collect();
        let start = first / SUBTREE_WIDTH * SUBTREE_WIDTH;
        let block = all.get(start..start + SUBTREE_WIDTH).unwrap_or_default();
        let segments = Segments { subtrees: &subtrees, block, tail: &all[full * SUBTREE_WIDTH..] };
        let proof = consistency_proof_from_subtrees(first as u64, segments).unwrap();
        let (old, new) = (tree_root(&all[..first]), tree_root(&all));
        let (first, second) = (first as u64, second as u64);
        prop_assert!(verify_consistency(first, &old, second, &new, &proof));
        let mut other = old;
        other[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!verify_consistency(first, &other, second, &new, &proof));
        if first > 0 {
            let mut other = new;
            other[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!verify_consistency(first, &old, second, &other, &proof));
        }
        if let Some(place) = proof.len().checked_sub(1) {
            let mut changed = proof.clone();
            changed[bit % (place + 1)][0] ^= 1;
            prop_assert!(!verify_consistency(first, &old, second, &new, &changed));
            prop_assert!(!verify_consistency(first, &old, second, &new, &proof[..place]));
        }
        let longer: Vec<Hash> = proof.iter().copied().chain([new]).collect();
        prop_assert!(!verify_consistency(first, &old, second, &new, &longer));
    }
}
