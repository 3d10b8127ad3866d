//! How cases ended, for people: a line for each case, what is wrong under those that failed, then all in a line.

use super::report::{CaseReport, TestReport};

pub(super) fn of(report: &TestReport) -> String {
    let width = report.cases.iter().map(|case| case.policy.len()).max().unwrap_or_default();
    let mut text: String = report.cases.iter().map(|case| of_case(case, width)).collect();
    text.push_str(&format!("\n{} passed, {} failed\n", report.passed, report.failed));
    text
}

fn of_case(case: &CaseReport, width: usize) -> String {
    let CaseReport { policy, file, line, name, passed, differences } = case;
    if *passed {
        return format!("ok    {policy:<width$}  {name}\n");
    }
    let mut text = format!("FAIL  {policy:<width$}  {name}\n      {file}:{line}\n");
    for difference in differences {
        text.push_str(&format!("      - {}\n", difference.message));
    }
    text
}
