//! Rounds in turns, medians, and the table.

use std::collections::BTreeMap;

/// Which scheduler a scenario runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// As many workers.
    Multi(usize),
    Current,
}

/// One measured quantity; less is better.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
}

/// The same program on both runtimes.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) zokio: fn(Flavor) -> Vec<Metric>,
    pub(crate) tokio: fn(Flavor) -> Vec<Metric>,
}

/// All rounds of one metric.
#[derive(Debug)]
pub(crate) struct Row {
    label: String,
    unit: &'static str,
    zokio: Vec<f64>,
    tokio: Vec<f64>,
}

/// Runs every scenario on both runtimes, round after round.
pub(crate) fn rounds(list: &[Scenario], flavor: Flavor, rounds: usize) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}, {flavor:?}", round + 1);
        for scenario in list {
            let (zokio, tokio) = if round % 2 == 0 {
                let zokio = (scenario.zokio)(flavor);
                (zokio, (scenario.tokio)(flavor))
            } else {
                let tokio = (scenario.tokio)(flavor);
                ((scenario.zokio)(flavor), tokio)
            };
            for (z, t) in zokio.into_iter().zip(tokio) {
                assert_eq!(z.name, t.name, "both sides measure the same");
                let label = format!("{} {}", scenario.name, z.name);
                let at = *index.entry(label.clone()).or_insert(rows.len());
                if at == rows.len() {
                    rows.push(Row {
                        label,
                        unit: z.unit,
                        zokio: vec![],
                        tokio: vec![],
                    });
                }
                rows[at].zokio.push(z.value);
                rows[at].tokio.push(t.value);
            }
        }
    }
    rows
}

/// The middle of `values`.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which `part` of `values` lie.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

/// Medians, their ratio, and the spread of the rounds' ratios.
pub(crate) fn table(flavor: Flavor, rows: &[Row]) -> String {
    let title = match flavor {
        Flavor::Multi(workers) => format!("multi_thread, {workers} workers"),
        Flavor::Current => "current_thread".to_string(),
    };
    let mut text = format!(
        "{title:<28} {:>11} {:>11} {:>6}  {:<13} unit\n",
        "Zokio", "Tokio", "ratio", "spread"
    );
    for row in rows {
        let (zokio, tokio) = (median(&row.zokio), median(&row.tokio));
        let ratios: Vec<f64> = row
            .zokio
            .iter()
            .zip(&row.tokio)
            .map(|(z, t)| z / t)
            .collect();
        let spread = format!(
            "{:.2}-{:.2}",
            quantile(&ratios, 0.0),
            quantile(&ratios, 1.0)
        );
        text.push_str(&format!(
            "{:<28} {zokio:>11.1} {tokio:>11.1} {:>6.2}  {spread:<13} {}\n",
            row.label,
            zokio / tokio,
            row.unit
        ));
    }
    text
}
