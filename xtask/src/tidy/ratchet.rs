//! Exceptions that may only become fewer: `xtask/tidy-allow.txt`.
//!
//! Each line is `CHECK PATH COUNT`. A file with more findings of a check than its line allows
//! fails; so does a file with fewer, until the line is lowered (`cargo xtask tidy --update` lowers
//! lines and removes those at zero, and never raises one). New lines are written by hand, with a
//! `#` comment that says why.

use std::collections::BTreeMap;

use crate::tidy::Finding;

/// The allowed number of findings by check and path.
#[derive(Debug, Default)]
pub(super) struct Ratchet {
    allowed: BTreeMap<(String, String), usize>,
}

impl Ratchet {
    /// Reads the file's text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut allowed = BTreeMap::new();
        for line in text
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
        {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [check, path, count] = words[..] else {
                return Err(format!("tidy-allow.txt: not `CHECK PATH COUNT`: {line}"));
            };
            let count = count
                .parse()
                .map_err(|_| format!("tidy-allow.txt: not a number: {line}"))?;
            allowed.insert((check.to_string(), path.to_string()), count);
        }
        Ok(Self { allowed })
    }

    /// The findings that count: those beyond what is allowed, and lines that allow too much.
    pub(super) fn judge(&self, findings: Vec<Finding>) -> Vec<Finding> {
        let mut groups: BTreeMap<(String, String), Vec<Finding>> = BTreeMap::new();
        for finding in findings {
            groups
                .entry((finding.check.to_string(), finding.path.clone()))
                .or_default()
                .push(finding);
        }
        let mut judged = Vec::new();
        for (key, allowed) in &self.allowed {
            let found = groups.get(key).map_or(0, Vec::len);
            if found < *allowed {
                let text = format!(
                    "tidy-allow.txt allows {allowed} `{}`, found {found}: run `cargo xtask tidy --update`",
                    key.0
                );
                judged.push(Finding::new("ratchet", &key.1, 0, text));
            }
        }
        for (key, group) in groups {
            let allowed = self.allowed.get(&key).copied().unwrap_or(0);
            if group.len() > allowed {
                judged.extend(group);
            }
        }
        judged
    }

    /// The file's text with every count lowered to what was found; comments stay.
    pub(super) fn lowered(&self, text: &str, findings: &[Finding]) -> String {
        let mut kept = String::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ([check, path, _], false) = (&words[..], line.trim_start().starts_with('#')) {
                let found = findings
                    .iter()
                    .filter(|f| f.check == *check && f.path == *path)
                    .count();
                let allowed = self.allowed[&((*check).to_string(), (*path).to_string())];
                if found > 0 {
                    kept.push_str(&format!("{check} {path} {}\n", found.min(allowed)));
                }
            } else {
                kept.push_str(line);
                kept.push('\n');
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(count: usize) -> Vec<Finding> {
        (0..count)
            .map(|line| Finding::new("ordering", "a.rs", line, "x".into()))
            .collect()
    }

    #[test]
    fn more_than_allowed_and_less_than_allowed_both_fail() {
        let ratchet = Ratchet::parse("# why\nordering a.rs 2\n").unwrap();
        assert!(ratchet.judge(found(2)).is_empty());
        assert_eq!(ratchet.judge(found(3)).len(), 3);
        assert_eq!(ratchet.judge(found(1))[0].check, "ratchet");
        assert_eq!(Ratchet::default().judge(found(1)).len(), 1);
    }

    #[test]
    fn update_lowers_and_never_raises() {
        let text = "# why\nordering a.rs 2\n";
        let ratchet = Ratchet::parse(text).unwrap();
        assert_eq!(ratchet.lowered(text, &found(1)), "# why\nordering a.rs 1\n");
        assert_eq!(ratchet.lowered(text, &found(5)), text);
        assert_eq!(ratchet.lowered(text, &[]), "# why\n");
    }

    #[test]
    fn a_broken_line_is_an_error() {
        assert!(Ratchet::parse("ordering a.rs\n").is_err());
        assert!(Ratchet::parse("ordering a.rs many\n").is_err());
    }
}
