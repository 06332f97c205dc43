//! Finds what a mistyped word was meant to be.

/// The name nearest to a mistyped one, if any is near enough to suggest.
pub fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let limit = (wrong.chars().count() / 3).clamp(1, 4);
    let near = names.filter_map(|name| Some((distance(wrong, name, limit)?, name)));
    near.min_by_key(|(steps, name)| (*steps, name.len())).map(|(_, name)| name)
}

/// Edit distance (insert, delete, replace, swap of neighbours) up to a limit, without case.
fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    const LENGTH_MAX: usize = 64;
    let fold = |text: &str| text.bytes().map(|byte| byte.to_ascii_lowercase()).collect::<Vec<u8>>();
    let (a, b) = (fold(a), fold(b));
    if a.len().abs_diff(b.len()) > limit || a.len() > LENGTH_MAX {
        return None;
    }
    let mut rows = [vec![0; b.len() + 1], (0..=b.len()).collect::<Vec<_>>(), vec![0; b.len() + 1]];
    for (i, x) in a.iter().enumerate() {
        let [before, last, row] = &mut rows;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(last, j) + usize::from(x != y)).min(at(last, j + 1) + 1).min(at(row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(before, j - 1) + 1);
            }
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = best;
            }
        }
        rows.rotate_left(1);
    }
    rows.get(1)?.last().copied().filter(|steps| *steps <= limit)
}
