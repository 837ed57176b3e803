//! A datum that numbers can be added to: integers exactly, floats exactly too, rounded only when somebody looks.
//!
//! So the sum of floats does not depend on the order in which they were added. An integer joins floats only if it is
//! one of them; nothing is rounded on the way in.

use tally_protocol::limits;
use tally_protocol::objects::Datum;
use tally_reduce::{FloatSum, Integer};

use super::fault::{Fault, full, wrong};

/// A datum, and its exact sum where floats were added up in it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) datum: Datum,
    pub(super) sum: Option<Box<FloatSum>>,
}

impl From<Datum> for Held {
    fn from(datum: Datum) -> Self {
        Self { datum, sum: None }
    }
}

impl Held {
    /// From a row.
    pub(super) fn restored(datum: Datum, sum: Option<&[u8]>) -> Self {
        let sum = sum.and_then(|bytes| FloatSum::from_bytes(bytes).ok()).map(Box::new);
        Self { datum, sum }
    }

    /// For a row.
    pub(super) fn sum_bytes(&self) -> Option<Vec<u8>> {
        self.sum.as_ref().map(|sum| sum.to_bytes())
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> usize {
        self.datum.size() + self.sum.as_ref().map_or(0, |_| FloatSum::BYTES)
    }

    /// With a number added.
    pub(super) fn plus(&self, by: &Datum) -> Result<Self, Fault> {
        match (&self.datum, by) {
            (Datum::Integer(one), Datum::Integer(other)) => speakable(one + other),
            (Datum::Integer(_) | Datum::Float(_), Datum::Integer(_) | Datum::Float(_)) => {
                let mut sum = match &self.sum {
                    Some(sum) => sum.clone(),
                    None => {
                        let mut sum = Box::new(FloatSum::new());
                        sum.add(float(&self.datum)?);
                        sum
                    }
                };
                sum.add(float(by)?);
                Ok(Self { datum: Datum::Float(sum.value()), sum: Some(sum) })
            }
            (Datum::Text(_) | Datum::Bytes(_), _) => {
                Err(wrong(format!("it holds {}, to which nothing can be added", self.datum.kind())))
            }
            (_, Datum::Text(_) | Datum::Bytes(_)) => Err(wrong(format!("{} cannot be added", by.kind()))),
        }
    }
}

/// An integer, if it is one that a request, a reply and a row of the store can hold.
fn speakable(sum: Integer) -> Result<Held, Fault> {
    let most = limits::INTEGER_TEXT_BYTES_MAX;
    if digits(&sum) > most {
        return Err(full(format!("it would have more than {most} digits")));
    }
    Ok(Datum::Integer(sum).into())
}

/// Characters of an integer that is written down, if they are many.
pub(super) fn digits(value: &Integer) -> usize {
    // A digit is a little more than three bits: short ones need not be written out.
    let most = limits::INTEGER_TEXT_BYTES_MAX;
    if tally_reduce::byte_length(value) < most * 3 / 8 { 0 } else { value.to_string().len() }
}

/// A number as a float, if it is one.
fn float(datum: &Datum) -> Result<f64, Fault> {
    match datum {
        Datum::Float(value) => Ok(*value),
        Datum::Integer(value) => {
            exactly(value).ok_or_else(|| wrong(format!("no float is exactly the integer {datum}")))
        }
        Datum::Text(_) | Datum::Bytes(_) => Err(wrong(format!("{} is no number", datum.kind()))),
    }
}

/// Integers of up to 53 bits are floats.
#[expect(clippy::cast_precision_loss, reason = "the bound is what makes it exact")]
fn exactly(value: &Integer) -> Option<f64> {
    i64::try_from(value).ok().filter(|small| small.unsigned_abs() <= 1 << 53).map(|small| small as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(first: Datum, rest: &[Datum]) -> Result<Datum, String> {
        let all = rest.iter().try_fold(Held::from(first), |held, by| held.plus(by));
        all.map(|held| held.datum).map_err(|fault| fault.why)
    }

    #[test]
    fn integers_grow() {
        let big: Integer = "9223372036854775808".parse().unwrap();
        assert_eq!(sum(Datum::from(i64::MAX), &[Datum::from(1)]), Ok(Datum::Integer(big)));
    }

    #[test]
    fn floats_do_not_depend_on_their_order() {
        let tenths = vec![Datum::Float(0.1); 10];
        assert_eq!(sum(Datum::from(0), &tenths), Ok(Datum::Float(1.0)));
        let [a, b, c] = [1e100, 1.0, -1e100].map(Datum::Float);
        assert_eq!(sum(a.clone(), &[b.clone(), c.clone()]), Ok(Datum::Float(1.0)));
        assert_eq!(sum(b, &[c, a]), Ok(Datum::Float(1.0)));
    }

    #[test]
    fn what_cannot_be_added_says_so() {
        assert_eq!(
            sum(Datum::from("x"), &[Datum::from(1)]).unwrap_err(),
            "it holds text, to which nothing can be added"
        );
        assert_eq!(sum(Datum::from(1), &[Datum::from("x")]).unwrap_err(), "text cannot be added");
        let odd = Datum::from((1 << 53) + 1);
        assert!(sum(odd, &[Datum::Float(0.5)]).unwrap_err().contains("exactly"));
    }

    #[test]
    fn an_integer_grows_as_long_as_it_can_be_told() {
        let nines: Integer = "9".repeat(limits::INTEGER_TEXT_BYTES_MAX).parse().unwrap();
        let held = Held::from(Datum::Integer(nines));
        let refused = held.plus(&Datum::from(1)).unwrap_err();
        assert_eq!(refused.why, "it would have more than 10000 digits");
        let less = held.plus(&Datum::from(-1)).unwrap();
        assert!(less.datum.to_string().ends_with("98"));
        assert!(Held::from(Datum::from(i64::MAX)).plus(&Datum::from(1)).is_ok(), "beyond 64 bits");
    }
}
