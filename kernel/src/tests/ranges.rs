//! Ranges with expressions.

use super::*;

#[test]
fn numbers_of_a_range_without_an_answer_are_bad_ones() {
    let of = |on_bad: &str, count: u64| {
        let request = JobRequest {
            reductions: vec!["sum".into(), "count".into()],
            sources: vec!["-1500..1500".into()],
            of: Some("1500 // i".into()),
            on_bad: tally_protocol::job::OnBad::from_name(on_bad),
            ..JobRequest::default()
        };
        let spec = request.check().unwrap().kernel;
        let mut kernel = Kernel::prepare(spec.clone(), None).unwrap();
        let mut sum = spec.identity();
        for start in (0..spec.count()).step_by(usize::try_from(count).unwrap()) {
            match kernel.fold(start, count.min(spec.count() - start), &mut |_| true)? {
                Folded::Whole(partial) => sum.merge(partial).unwrap(),
                Folded::Stopped => panic!("nobody stopped it"),
            }
        }
        assert!(spec.counts_positions() == (on_bad != "skip") && sum.elements() + sum.skipped() == 3000);
        Ok::<_, Fault>(texts(sum.finish(false)))
    };
    let floor = |i: i64| 1500_i64.div_euclid(i) - i64::from(i < 0 && 1500 % i != 0);
    let floor: i64 = (-1500..1500).filter(|i| *i != 0).map(floor).sum();
    for count in [3000, 1, 700] {
        assert_eq!(of("skip", count).unwrap(), [floor.to_string(), "2999".into()]);
        assert_eq!(of("nan", count).unwrap(), ["nan", "3000"]);
        assert!(of("error", count).unwrap_err().message.contains("at i = 0"));
    }
}

#[test]
fn ranges_with_expressions() {
    let request = JobRequest {
        reductions: vec!["sum".into(), "count".into()],
        sources: vec!["0..1000".into(), "-5..5".into()],
        of: Some("i * i % 7".into()),
        filter: Some("i % 2 == 0".into()),
        ..JobRequest::default()
    };
    let spec = request.check().unwrap().kernel;
    let mut kernel = Kernel::prepare(spec.clone(), None).unwrap();
    let mut sum = spec.identity();
    for start in (0..spec.count()).step_by(13) {
        match kernel.fold(start, 13.min(spec.count() - start), &mut |_| true).unwrap() {
            Folded::Whole(partial) => sum.merge(partial).unwrap(),
            Folded::Stopped => panic!("nobody stopped it"),
        }
    }
    let expected: i64 = (0..1000).chain(-5..5).filter(|i| i % 2 == 0).map(|i| i * i % 7).sum();
    let answers: Vec<String> =
        sum.finish(false).into_iter().map(|one| one.answer.unwrap().to_string()).collect();
    assert_eq!(answers, [expected.to_string(), "505".to_owned()]);
}
