//! Characters that nobody sees, in which a secret or a command could hide. Pure.

/// `Default_Ignorable_Code_Point` (Unicode 16, `DerivedCoreProperties.txt`): joiners, direction marks (Trojan Source, CVE-2021-42574),
/// variation selectors, fillers, tags.
const IGNORABLE: [(u32, u32); 17] = [
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1_BCA0, 0x1_BCA3),
    (0x1_D173, 0x1_D17A),
    (0xE_0000, 0xE_0FFF),
];

/// True for control characters, for what Unicode calls default ignorable, for line and paragraph separators, which some viewers take
/// as line ends, for the marks of interlinear text, and for the two that are no characters at all and break XML.
pub(crate) fn is_hidden(letter: char) -> bool {
    if letter.is_ascii() {
        return letter.is_ascii_control();
    }
    let code = u32::from(letter);
    letter.is_control()
        || IGNORABLE.iter().any(|&(first, last)| (first..=last).contains(&code))
        || matches!(code, 0x2028 | 0x2029 | 0xFFF9..=0xFFFB | 0xFFFE | 0xFFFF)
}

#[cfg(test)]
mod tests {
    use super::{IGNORABLE, is_hidden};

    #[test]
    fn what_nobody_sees_is_hidden_and_nothing_else() {
        assert!(
            IGNORABLE.is_sorted_by(|a, b| a.1 < b.0) && IGNORABLE.iter().all(|(first, last)| first <= last)
        );
        for hidden in "\0\n\r\t\u{1b}\u{7f}\u{85}\u{ad}\u{34f}\u{61c}\u{115f}\u{17b4}\u{180e}\u{200b}\u{200d}\u{2028}\u{202e}\u{2066}\u{206a}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{fff0}\u{fffb}\u{ffff}\u{1bca0}\u{1d173}\u{e0001}\u{e0041}\u{e01ef}".chars() {
            assert!(is_hidden(hidden), "U+{:04X}", u32::from(hidden));
        }
        for shown in " aZ0_-é\u{a0}א字\u{fffd}🎮\u{1f3fd}\u{301}".chars() {
            assert!(!is_hidden(shown), "U+{:04X}", u32::from(shown));
        }
    }
}
