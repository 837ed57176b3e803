//! `--decimal`: cells as they are written, added and compared exactly.
//!
//! Nothing here becomes a float. A column without an expression is added in runs; expressions go row by row.

use tally_columns::{Batch, Column as Cells, Decimals};
use tally_expr::{
    Decimal as Number, DecimalCell, DecimalProgram, DecimalValue, EvalError, Kind, NoDecimal, Schema,
};
use tally_reduce::{Decimal, DecimalSum, Integer};

use crate::Fault;
use crate::group::too_long;
use crate::range::parse;
use crate::rows::{Trouble, trouble};

/// An expression and, perhaps, a filter over decimals.
#[derive(Debug)]
pub(crate) struct DecimalPlan {
    of: DecimalProgram,
    filter: Option<DecimalProgram>,
}

impl DecimalPlan {
    pub(crate) fn of(of: &str, filter: Option<&str>, schema: &Schema) -> Result<Self, Fault> {
        let compile = |option: &str, text: &str| {
            let ast = parse(option, text)?;
            DecimalProgram::compile(&ast, schema).map_err(|fault| Fault::of_text(option, text, &fault))
        };
        let of = compile("--of", of)?;
        let filter = filter.map(|text| compile("--where", text)).transpose()?;
        if filter.as_ref().is_some_and(|filter| filter.kind() != Kind::Bool) {
            return Err(Fault::usage("filter by a number: --where takes a condition, such as 'price > 0'"));
        }
        Ok(Self { of, filter })
    }

    /// Gives the answers of the rows of a batch to `into`, each with the row it is of. `columns` are those of values.
    /// A row without an answer is the end, unless it `skips`; then it says how many there were.
    pub(crate) fn compute(
        &self,
        batch: &Batch,
        columns: &[Cells],
        bytes: &[u8],
        skips: bool,
        into: &mut dyn FnMut(usize, &Decimal) -> Result<(), Fault>,
    ) -> Result<u64, Trouble> {
        let mut left_out = 0;
        let wide: Vec<std::collections::HashMap<usize, Number>> = columns.iter().map(wide_of).collect();
        let mut numbers: Vec<Number> = Vec::new();
        for row in 0..batch.rows() {
            numbers.clear();
            numbers.extend(columns.iter().zip(&wide).map(|(cells, wide)| match cells {
                Cells::Decimal(decimals) => wide.get(&row).cloned().unwrap_or_else(|| {
                    decimals.values.get(row).map_or_else(zero, |&(units, scale)| number(units.into(), scale))
                }),
                Cells::Integer(_) | Cells::Float(_) | Cells::Text(_) => zero(),
            }));
            let first = batch.valueless().partition_point(|cell| cell.row < row);
            let after = batch.valueless().partition_point(|cell| cell.row <= row);
            let valueless = &batch.valueless()[first..after];
            let mut cells: Vec<DecimalCell<'_>> = (columns.iter().zip(&numbers))
                .map(|(column, number)| match column {
                    Cells::Text(texts) => DecimalCell::Text(texts.get(bytes, row).unwrap_or(&[])),
                    Cells::Decimal(_) => DecimalCell::Number(number),
                    Cells::Integer(_) | Cells::Float(_) => DecimalCell::Absent,
                })
                .collect();
            valueless.iter().for_each(|cell| cells[cell.column] = DecimalCell::Valueless);
            let failed = |in_filter: bool| {
                move |NoDecimal { message, span, valueless: column }: NoDecimal| {
                    let row = batch.row_number(row).saturating_sub(1);
                    let (index, hint, valueless_at) = (None, None, column);
                    let error =
                        EvalError { row, index, span, in_filter, message, hint, valueless: valueless_at };
                    trouble(error, valueless)
                }
            };
            let holds = match &self.filter {
                Some(filter) => filter.run(&cells).map_err(failed(true)),
                None => Ok(DecimalValue::Bool(true)),
            };
            let value = match holds {
                Ok(DecimalValue::Bool(true)) => self.of.run(&cells).map_err(failed(false)),
                Ok(_) => continue,
                Err(why) => Err(why),
            };
            let value = value.and_then(|value| match value {
                DecimalValue::Number(value) => {
                    let exact = Decimal::from_units(value.digits().clone(), value.scale().into());
                    exact.map_err(|why| Trouble::Fault(too_long(why)))
                }
                DecimalValue::Bool(bit) => {
                    Decimal::from_units(u8::from(bit).into(), 0).map_err(|why| Trouble::Fault(too_long(why)))
                }
            });
            let value = match value {
                Ok(value) => value,
                Err(_) if skips => {
                    left_out += 1;
                    continue;
                }
                Err(why) => return Err(why),
            };
            into(row, &value)?;
        }
        Ok(left_out)
    }
}

/// Folds one column as it is.
pub(crate) fn absorb_column(decimals: &Decimals, sum: &mut DecimalSum) -> Result<(), Fault> {
    let mut from = 0;
    for (row, value) in &decimals.wide {
        sum.add_units(&decimals.values[from..*row]).map_err(too_long)?;
        sum.add(&Decimal::from_units(value.units.clone(), value.scale.into()).map_err(too_long)?, None);
        from = row + 1;
    }
    sum.add_units(&decimals.values[from..]).map_err(too_long)
}

/// Rows without a value, to be counted.
pub(crate) fn count_rows(rows: usize, sum: &mut DecimalSum) -> Result<(), Fault> {
    sum.add_units(&vec![(0, 0); rows]).map_err(too_long)
}

fn wide_of(cells: &Cells) -> std::collections::HashMap<usize, Number> {
    match cells {
        Cells::Decimal(decimals) => {
            let wide = decimals.wide.iter();
            wide.map(|(row, value)| (*row, number(value.units.clone(), value.scale))).collect()
        }
        Cells::Integer(_) | Cells::Float(_) | Cells::Text(_) => std::collections::HashMap::new(),
    }
}

fn zero() -> Number {
    Number::new(Integer::ZERO, 0)
}

/// `units / 10^scale`.
fn number(units: Integer, scale: i32) -> Number {
    match u32::try_from(scale) {
        Ok(scale) => Number::new(units, scale),
        Err(_) => {
            let power = usize::try_from(scale.unsigned_abs()).unwrap_or(usize::MAX);
            Number::new(units * Integer::from(10).pow(power), 0)
        }
    }
}
