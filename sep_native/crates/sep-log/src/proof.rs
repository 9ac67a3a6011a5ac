use crate::{Hash, Tree, TreeError, empty_root, node_hash};

/// Width of the full subtrees that a store caches.
pub const SUBTREE_WIDTH: usize = 256;

/// A tree known by the roots of its full 256-wide subtrees and only a few of its leaves.
#[derive(Debug, Clone, Copy)]
pub struct Segments<'a> {
    /// Roots of all full 256-wide subtrees, from the left.
    pub subtrees: &'a [Hash],
    /// The 256 leaves of the subtree that holds the index; ignored when the index lies in the tail.
    pub block: &'a [Hash],
    /// The leaves behind the last full subtree, fewer than 256.
    pub tail: &'a [Hash],
}

/// The root over leaf hashes.
pub fn tree_root(leaves: &[Hash]) -> Hash {
    let mut tree = Tree::default();
    tree.extend(leaves);
    tree.root()
}

/// The root of a full subtree; refuses a number of leaves that is not a power of two.
pub fn subtree_root(leaves: &[Hash]) -> Result<Hash, TreeError> {
    if leaves.len().is_power_of_two() {
        Ok(tree_root(leaves))
    } else {
        Err(TreeError::NotASubtree(leaves.len()))
    }
}

/// Sibling hashes from leaf `index` up to the root.
pub fn inclusion_proof(leaves: &[Hash], index: u64) -> Result<Vec<Hash>, TreeError> {
    let size = leaves.len() as u64;
    match usize::try_from(index) {
        Ok(place) if place < leaves.len() => Ok(path(place, 0, leaves.len(), &|low, high| {
            tree_root(&leaves[low..high])
        })),
        _ => Err(TreeError::OutOfRange { index, size }),
    }
}

/// The same proof as [`inclusion_proof`], from cached subtrees and at most 511 leaves.
pub fn inclusion_proof_from_subtrees(
    index: u64,
    segments: Segments<'_>,
) -> Result<Vec<Hash>, TreeError> {
    let place = segments.place(index)?;
    Ok(path(place, 0, segments.size(), &|low, high| {
        segments.root(place, low, high)
    }))
}

/// That the tree over the first `first` leaves grew into this one (RFC 9162, section 2.1.4.1): hashes that lead to both
/// roots. `segments` holds the block of leaf `first`; nothing is needed where the sizes are equal, or the first is 0.
pub fn consistency_proof_from_subtrees(
    first: u64,
    segments: Segments<'_>,
) -> Result<Vec<Hash>, TreeError> {
    let size = segments.size();
    if first == 0 || first == size as u64 {
        return Ok(Vec::new());
    }
    let place = segments.place(first)?;
    let root = |low: usize, high: usize| segments.root(place, low, high);
    let (mut low, mut high, mut known) = (0, size, true);
    let mut hashes = Vec::new();
    while high != place {
        let middle = low + split(high - low);
        if place <= middle {
            hashes.push(root(middle, high));
            high = middle;
        } else {
            hashes.push(root(low, middle));
            low = middle;
            known = false;
        }
    }
    if !known {
        hashes.push(root(low, high));
    }
    hashes.reverse();
    Ok(hashes)
}

impl Segments<'_> {
    fn full(&self) -> usize {
        self.subtrees.len() * SUBTREE_WIDTH
    }

    fn size(&self) -> usize {
        self.full() + self.tail.len()
    }

    /// The index of a leaf that the tree has, whose block is at hand.
    fn place(&self, index: u64) -> Result<usize, TreeError> {
        if self.tail.len() >= SUBTREE_WIDTH {
            return Err(TreeError::Tail(self.tail.len()));
        }
        let size = self.size();
        let place = usize::try_from(index).ok().filter(|place| *place < size);
        let Some(place) = place else {
            return Err(TreeError::OutOfRange {
                index,
                size: size as u64,
            });
        };
        if place < self.full() && self.block.len() != SUBTREE_WIDTH {
            return Err(TreeError::Block {
                index,
                expected: SUBTREE_WIDTH,
                found: self.block.len(),
            });
        }
        Ok(place)
    }

    /// The root over a run of leaves. Every run that a proof about `place` asks for either consists of whole subtrees,
    /// or lies inside the block of `place`, or is made of whole subtrees followed by the tail.
    fn root(&self, place: usize, low: usize, high: usize) -> Hash {
        let (full, start) = (self.full(), place / SUBTREE_WIDTH * SUBTREE_WIDTH);
        if place < full && low >= start && high <= start + SUBTREE_WIDTH {
            return tree_root(&self.block[low - start..high - start]);
        }
        if low >= full {
            return tree_root(&self.tail[low - full..high - full]);
        }
        let whole = &self.subtrees[low / SUBTREE_WIDTH..high.min(full) / SUBTREE_WIDTH];
        let rest = if high > full {
            &self.tail[..high - full]
        } else {
            &[]
        };
        spliced_root(whole, rest)
    }
}

/// Whether `proof` leads from `first_root`, over `first` leaves, to `second_root`, over `second` (RFC 9162, section
/// 2.1.4.2). Every tree grew from the empty one.
pub fn verify_consistency(
    first: u64,
    first_root: &Hash,
    second: u64,
    second_root: &Hash,
    proof: &[Hash],
) -> bool {
    if first == 0 {
        return proof.is_empty() && *first_root == empty_root();
    }
    if first == second {
        return proof.is_empty() && first_root == second_root;
    }
    if first > second {
        return false;
    }
    let (mut place, mut last) = (first - 1, second - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    // A first size that is a power of two is a subtree of the second tree: its root starts the way.
    let (start, rest) = if first.is_power_of_two() {
        (*first_root, proof)
    } else {
        match proof.split_first() {
            Some((start, rest)) => (*start, rest),
            None => return false,
        }
    };
    let (mut old, mut new) = (start, start);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && old == *first_root && new == *second_root
}

/// Whether `proof` leads from `leaf` at `index` to `root` in a tree of `size` leaves (RFC 9162, section 2.1.3.2).
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last) = (index, size - 1);
    let mut node = *leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            node = node_hash(sibling, &node);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            node = node_hash(&node, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && node == *root
}

/// The root of whole subtrees followed by single leaves.
fn spliced_root(whole: &[Hash], rest: &[Hash]) -> Hash {
    let left = tree_root(whole);
    if rest.is_empty() {
        return left;
    }
    // The peaks of the subtrees stand left of the peaks of the rest, in order; folding from the right gives the root.
    let mut upper = Tree::default();
    upper.extend(whole);
    upper
        .peaks()
        .iter()
        .rev()
        .fold(tree_root(rest), |right, peak| node_hash(peak, &right))
}

/// Siblings of `place` in the tree over `[low, high)`, lowest first.
fn path(place: usize, low: usize, high: usize, root: &dyn Fn(usize, usize) -> Hash) -> Vec<Hash> {
    let (mut low, mut high) = (low, high);
    let mut siblings = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        if place < middle {
            siblings.push(root(middle, high));
            high = middle;
        } else {
            siblings.push(root(low, middle));
            low = middle;
        }
    }
    siblings.reverse();
    siblings
}

/// The largest power of two below `width`, which is at least 2.
fn split(width: usize) -> usize {
    width.next_power_of_two() / 2
}
