//! Operations on floats that are more than one IEEE 754 instruction, with Python's answers.
//!
//! The elementary functions come from `pxfm`, not from the C library: that one differs between versions and between
//! processors, and an answer must not.

use crate::value::Trouble;
use crate::words::Function;

/// Python's `a // b`.
#[inline]
pub(crate) fn floor_div(a: f64, b: f64) -> Result<f64, Trouble> {
    div_mod(a, b).map(|(quotient, _)| quotient)
}

/// Python's `a % b`: its sign is that of `b`.
#[inline]
pub(crate) fn modulo(a: f64, b: f64) -> Result<f64, Trouble> {
    div_mod(a, b).map(|(_, rest)| rest)
}

fn div_mod(a: f64, b: f64) -> Result<(f64, f64), Trouble> {
    if b == 0.0 {
        return Err(Trouble::DivisionByZero);
    }
    let mut rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest == 0.0 {
        rest = 0f64.copysign(b);
    } else if (b < 0.0) != (rest < 0.0) {
        rest += b;
        quotient -= 1.0;
    }
    // The quotient is a whole number but for its rounding.
    let floor = if quotient == 0.0 {
        0f64.copysign(a / b)
    } else {
        let floor = quotient.floor();
        if quotient - floor > 0.5 { floor + 1.0 } else { floor }
    };
    Ok((floor, rest))
}

/// Python's `a ** b` of two floats.
pub(crate) fn power(a: f64, b: f64) -> Result<f64, Trouble> {
    if b == 0.0 || a == 1.0 {
        return Ok(1.0);
    }
    if a.is_nan() || b.is_nan() {
        return Ok(f64::NAN);
    }
    if b.is_infinite() {
        let grows = (b > 0.0) == (a.abs() > 1.0);
        let answer = if grows { f64::INFINITY } else { 0.0 };
        return Ok(if a.abs() == 1.0 { 1.0 } else { answer });
    }
    let odd = b.abs() < 9_007_199_254_740_992.0 && b.trunc() == b && b % 2.0 != 0.0;
    let signed = |magnitude: f64| if odd { magnitude.copysign(a) } else { magnitude };
    if a.is_infinite() {
        return Ok(signed(if b > 0.0 { f64::INFINITY } else { 0.0 }));
    }
    if a == 0.0 {
        return if b > 0.0 { Ok(signed(0.0)) } else { Err(Trouble::ZeroToNegative) };
    }
    if a < 0.0 && b.trunc() != b {
        return Err(Trouble::ComplexPower);
    }
    let magnitude = a.abs();
    // These are rounded once, as the general power is.
    let answer = match b {
        2.0 => magnitude * magnitude,
        1.0 => magnitude,
        0.5 => magnitude.sqrt(),
        -1.0 => 1.0 / magnitude,
        _ => pxfm::f_pow(magnitude, b),
    };
    if answer.is_infinite() { Err(Trouble::PowerTooLarge) } else { Ok(signed(answer)) }
}

/// A function of one float.
#[inline]
pub(crate) fn call(function: Function, x: f64) -> Result<f64, Trouble> {
    match function {
        Function::Sqrt if x < 0.0 => Err(Trouble::SqrtNegative),
        Function::Sqrt => Ok(x.sqrt()),
        Function::Exp => {
            let answer = pxfm::f_exp(x);
            if answer.is_infinite() && x.is_finite() { Err(Trouble::ExpTooLarge) } else { Ok(answer) }
        }
        Function::Ln | Function::Log2 | Function::Log10 if x <= 0.0 => Err(Trouble::LogNotPositive),
        Function::Ln => Ok(pxfm::f_log(x)),
        Function::Log2 => Ok(pxfm::f_log2(x)),
        Function::Log10 => Ok(pxfm::f_log10(x)),
        Function::Sin | Function::Cos | Function::Tan if x.is_infinite() => Err(Trouble::AngleInfinite),
        Function::Sin => Ok(pxfm::f_sin(x)),
        Function::Cos => Ok(pxfm::f_cos(x)),
        Function::Tan => Ok(pxfm::f_tan(x)),
        _ => Err(Trouble::Mistyped),
    }
}

/// The smaller; NaN if either is; the first of equals.
#[inline(always)]
pub(crate) fn min(a: f64, b: f64) -> f64 {
    if a.is_nan() || a <= b { a } else { b }
}

/// The larger; NaN if either is; the first of equals.
#[inline(always)]
pub(crate) fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || a >= b { a } else { b }
}
