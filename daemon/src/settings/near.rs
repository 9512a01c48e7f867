//! The word that was meant where one is misspelt.

/// The candidate that a misspelt word is nearest to, when one is near.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A name without its unit or bound is near, however long they are.
    let apart = |candidate: &str| match candidate.starts_with(word) && word.len() > 2 {
        true => 1,
        false => distance(word, candidate),
    };
    let (distance, candidate) = candidates.map(|candidate| (apart(candidate), candidate)).min()?;
    (distance <= 2 + candidate.len() / 6).then_some(candidate)
}

/// Single-character edits between two words (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let change = corner + usize::from(l != *r);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[right.len()]
}
