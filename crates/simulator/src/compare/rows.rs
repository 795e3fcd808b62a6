//! What is said of the runs of a comparison: medians, and what collecting costs at least.
//!
//! What a collector costs cannot be measured alone: there is no heap without any cost to compare with. A bound can. From each
//! run the time that its collector is known to have taken is subtracted. What is left still has costs in it, such as
//! barriers, and caches that the collector has emptied; so the least of all is above what a heap without a collector would
//! take, and how much longer a run takes than that is less than what collecting costs it. This is the lower bound of
//! Cai, Blackburn, Bond and Maas, *Distilling the Real Cost of Production Garbage Collectors*, ISPASS 2022. Among the runs
//! there is one of a heap that never frees, which pays nothing for collecting, but for memory that it sees the first time.

use super::{Comparison, Figures, Run};
use crate::outcome::{End, Utilisation};
use serde::{Deserialize, Serialize};

/// What is said of a contender: medians of its rounds. Times are nanoseconds, sizes bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Row {
    /// What it is called.
    pub label: String,
    /// How many runs.
    pub runs: usize,
    /// Why there are no figures, if there are none; in words.
    pub failure: Option<String>,
    /// The limit, if it has one.
    pub limit: Option<u64>,
    /// The limit as a multiple of the least in which it runs, if that is known.
    pub of_minimum: Option<f64>,
    /// From begin to end.
    pub wall: u64,
    /// Of the processors.
    pub cpu: u64,
    /// In slices of collections.
    pub collector: u64,
    /// The same on a processor, if the system tells it.
    pub collector_cpu: Option<u64>,
    /// By how much it takes longer than the least that is known to be possible without collecting, in time on the wall.
    pub overhead: Option<f64>,
    /// The same in time of processors, which other programs do not disturb so much.
    pub cpu_overhead: Option<f64>,
    /// Half of the pauses took no longer.
    pub pause_50: u64,
    /// 99 of 100 took no longer.
    pub pause_99: u64,
    /// The longest.
    pub longest: u64,
    /// Minor collections.
    pub minor: u64,
    /// Full ones.
    pub full: u64,
    /// The most that was committed and kept alive outside at once.
    pub peak_total: u64,
    /// The least share of any window that the program had.
    pub utilisation: Vec<Utilisation>,
    /// It computed something else than others that did the same.
    pub is_different: bool,
}

pub(super) fn of(comparison: &Comparison) -> Vec<Row> {
    let mut rows: Vec<(usize, Row)> = Vec::new();
    for (number, contender) in comparison.contenders.iter().enumerate() {
        let runs: Vec<&Run> = comparison.runs.iter().filter(|run| run.contender == number).collect();
        if !runs.is_empty() {
            rows.push((number, row(&contender.label, &runs)));
        }
    }
    let programs: Vec<_> = rows.iter().map(|(number, _)| comparison.contenders[*number].program()).collect();
    let checksum = |number: usize| {
        let mut runs = comparison.runs.iter().filter(|run| run.contender == number);
        runs.find_map(|run| run.figures.as_ref().ok()?.checksum.clone())
    };
    for at in 0..rows.len() {
        let same: Vec<usize> = (0..rows.len()).filter(|&other| programs[other] == programs[at]).collect();
        let completed = || same.iter().map(|&other| &rows[other].1).filter(|row| row.failure.is_none());
        let ideal = |without_collector: fn(&Row) -> Option<u64>| completed().filter_map(without_collector).min();
        let over = |total: u64, ideal: Option<u64>| {
            ideal.filter(|&ideal| ideal > 0).map(|ideal| total as f64 / ideal as f64 - 1.0)
        };
        let wall = ideal(|row| Some(row.wall.saturating_sub(row.collector)));
        let cpu = ideal(|row| row.collector_cpu.map(|collector| row.cpu.saturating_sub(collector)));
        let sums: Vec<String> = same.iter().filter_map(|&other| checksum(rows[other].0)).collect();
        let mine = checksum(rows[at].0);
        let row = &rows[at].1;
        let changed = match row.failure {
            None => (over(row.wall, wall), over(row.cpu, cpu)),
            Some(_) => (None, None),
        };
        let is_different = mine.is_some_and(|mine| sums.iter().any(|other| *other != mine));
        let row = &mut rows[at].1;
        ((row.overhead, row.cpu_overhead), row.is_different) = (changed, is_different);
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

fn row(label: &str, runs: &[&Run]) -> Row {
    let figures: Vec<&Figures> = runs.iter().filter_map(|run| run.figures.as_ref().ok()).collect();
    let failure = runs.iter().find_map(|run| match &run.figures {
        Err(words) => Some(words.clone()),
        Ok(figures) => match &figures.end {
            End::Completed => None,
            End::Interrupted => Some("interrupted".into()),
            End::TimedOut => Some("out of time".into()),
            End::OutOfMemory(_) => Some("out of memory".into()),
            End::Failed(words) => Some(words.clone()),
        },
    });
    let middle = |figure: fn(&Figures) -> u64| median(figures.iter().map(|figures| figure(figures)).collect());
    let collector_cpu: Option<Vec<u64>> = figures.iter().map(|figures| figures.collector_cpu).collect();
    let limit = runs[0].limit;
    Row {
        label: label.into(),
        runs: runs.len(),
        failure,
        limit,
        of_minimum: runs[0].minimum.zip(limit).map(|(minimum, limit)| limit as f64 / minimum as f64),
        wall: middle(|figures| figures.wall),
        cpu: middle(|figures| figures.cpu),
        collector: middle(|figures| figures.collector),
        collector_cpu: collector_cpu.map(median),
        overhead: None,
        cpu_overhead: None,
        pause_50: middle(|figures| figures.pause_50),
        pause_99: middle(|figures| figures.pause_99),
        longest: middle(|figures| figures.longest),
        minor: middle(|figures| figures.minor),
        full: middle(|figures| figures.full),
        peak_total: middle(|figures| figures.peak_total),
        utilisation: utilisation(&figures),
        is_different: false,
    }
}

/// The medians of windows that all runs have.
fn utilisation(figures: &[&Figures]) -> Vec<Utilisation> {
    let Some(first) = figures.first() else { return Vec::new() };
    let least = |window: u64| -> Option<f64> {
        let of = |figures: &&Figures| figures.utilisation.iter().find(|u| u.window == window).map(|u| u.least);
        let mut all: Vec<f64> = figures.iter().map(of).collect::<Option<_>>()?;
        all.sort_by(f64::total_cmp);
        Some(all[(all.len() - 1) / 2])
    };
    first.utilisation.iter().filter_map(|u| Some(Utilisation { window: u.window, least: least(u.window)? })).collect()
}

/// The lower of the two in the middle; 0 of none.
fn median(mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.get(numbers.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Contender, FORMAT, Shard, Size};
    use crate::settings::Settings;

    fn comparison(figures: Vec<(usize, Figures)>) -> Comparison {
        let contender = |label: &str| Contender {
            label: label.into(),
            changes: Vec::new(),
            settings: Settings::default(),
            size: Size::AsSet,
            is_null: false,
        };
        Comparison {
            format: FORMAT,
            version: String::new(),
            command: Vec::new(),
            machine: crate::outcome::Machine::default(),
            contenders: vec![contender("a"), contender("b")],
            rounds: 3,
            notes: Vec::new(),
            shards: vec![Shard::default()],
            runs: figures
                .into_iter()
                .enumerate()
                .map(|(round, (contender, figures))| Run {
                    contender,
                    round,
                    minimum: None,
                    limit: None,
                    figures: Ok(figures),
                })
                .collect(),
            rows: Vec::new(),
        }
    }

    fn figures(wall: u64, collector: u64) -> Figures {
        Figures {
            end: End::Completed,
            checksum: Some("1".into()),
            operations: 1,
            wall,
            cpu: wall,
            collector,
            collector_cpu: Some(collector),
            pause_50: 0,
            pause_99: 0,
            longest: 0,
            minor: 0,
            full: 0,
            peak_total: 0,
            utilisation: Vec::new(),
        }
    }

    #[test]
    fn the_least_time_without_the_collectors_own_is_the_measure_of_all() {
        // Without its collector's 40, `a` would take 100; `b` takes 120 without its 30. So 100 is the least that is known.
        let rows = comparison(vec![
            (0, figures(140, 40)),
            (1, figures(150, 30)),
            (1, figures(9999, 0)),
            (1, figures(150, 30)),
        ])
        .rows();
        let overheads: Vec<f64> = rows.iter().filter_map(|row| row.overhead).collect();
        assert!((overheads[0] - 0.4).abs() < 1e-9 && (overheads[1] - 0.5).abs() < 1e-9, "{overheads:?}");
        assert_eq!(rows[0].cpu_overhead, rows[0].overhead);
        assert_eq!(rows[1].wall, 150, "the median of three");
    }

    #[test]
    fn what_did_not_end_is_no_measure() {
        let failed = Figures { end: End::OutOfMemory(String::new()), ..figures(10, 0) };
        let rows = comparison(vec![(0, figures(140, 40)), (1, failed)]).rows();
        assert!((rows[0].overhead.unwrap() - 0.4).abs() < 1e-9);
        assert_eq!((rows[1].overhead, rows[1].failure.as_deref()), (None, Some("out of memory")));
    }

    #[test]
    fn a_different_result_is_noticed() {
        let other = Figures { checksum: Some("2".into()), ..figures(10, 0) };
        assert!(comparison(vec![(0, figures(10, 0)), (1, other)]).rows().iter().all(|row| row.is_different));
        assert!(!comparison(vec![(0, figures(10, 0)), (1, figures(11, 0))]).rows()[0].is_different);
    }
}
