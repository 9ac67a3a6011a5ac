/// Drops the names of tuple members, `((uint256 a, bytes b)[] pairs)` to `((uint256,bytes)[] pairs)`, at and
/// below the given depth of parentheses: the type parser reads names of parameters, not of members.
pub(crate) fn without_member_names(text: &str, depth: usize) -> String {
    let mut kept = String::with_capacity(text.len());
    let (mut level, mut begun, mut skipping) = (0usize, false, false);
    for character in text.chars() {
        match character {
            '(' => level += 1,
            ')' => level = level.saturating_sub(1),
            _ => {}
        }
        let separates = matches!(character, '(' | ')' | ',');
        if separates {
            skipping = false;
        } else if level >= depth && character.is_whitespace() {
            skipping = begun;
            continue;
        }
        if skipping {
            continue;
        }
        begun = character != '(' && character != ',';
        kept.push(character);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::without_member_names;

    #[test]
    fn names_of_members_go_and_names_of_parameters_stay() {
        for (given, kept) in [
            (
                "f((uint8 a, bytes b)[] pairs, bool done)",
                "f((uint8,bytes)[] pairs, bool done)",
            ),
            (
                "f(((uint8 a) inner, bool ok) x) returns (bool y)",
                "f(((uint8),bool) x) returns (bool y)",
            ),
            ("f(uint256 a)", "f(uint256 a)"),
        ] {
            assert_eq!(without_member_names(given, 2), kept);
        }
        assert_eq!(
            without_member_names("(uint8 a, (bool b)[2] c)", 1),
            "(uint8,(bool)[2])"
        );
    }
}
