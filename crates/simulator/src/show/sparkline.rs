//! A curve in one line of text.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A curve of pairs of a place and a value, drawn `width` characters wide. A character is as high as the highest value in its
/// part; one without a value is as high as the one before.
///
/// ```
/// use tumulus_simulator::show::sparkline;
///
/// assert_eq!(sparkline(&[(0, 0), (1, 50), (2, 100), (3, 0)], 4), "▁▅█▁");
/// ```
pub fn sparkline(points: &[(u64, u64)], width: usize) -> String {
    let (Some(&(first, _)), Some(&(last, _))) = (points.first(), points.last()) else { return String::new() };
    let top = points.iter().map(|&(_, value)| value).max().unwrap_or(0).max(1);
    let span = (last - first).max(1);
    let mut columns: Vec<Option<u64>> = vec![None; width.max(1)];
    for &(at, value) in points {
        let column = (u128::from(at - first) * columns.len() as u128 / (u128::from(span) + 1)) as usize;
        let highest = &mut columns[column];
        *highest = Some(highest.map_or(value, |before| before.max(value)));
    }
    let mut value = 0;
    columns
        .into_iter()
        .map(|column| {
            value = column.unwrap_or(value);
            // Half a step up, so that a bar is full near the top and not only at it.
            let step = (u128::from(value) * 15 / u128::from(top)).div_ceil(2) as usize;
            BARS[step.min(BARS.len() - 1)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_wide_as_it_should_be_and_holds_on_where_nothing_is_known() {
        assert_eq!(sparkline(&[(0, 100), (100, 0)], 6), "█████▁");
        assert_eq!(sparkline(&[], 6), "");
        assert_eq!(sparkline(&[(7, 7)], 3), "███");
        assert_eq!(sparkline(&[(0, 0), (9, 0)], 2), "▁▁");
    }
}
