"""Exact text of numbers of any length, there and back."""

import decimal
import fractions
import math
import random
import unittest

import support  # noqa: F401

from tally import _numbers


class Numbers(unittest.TestCase):
    def test_integers_of_any_length_go_there_and_back(self):
        randomly = random.Random(1)
        for bits in [0, 1, 63, 64, 1799, 1800, 1801, 2000, 15000, 200_000]:
            for value in [1 << bits, (1 << bits) - 1, randomly.getrandbits(bits + 1)]:
                for signed in (value, -value):
                    text = _numbers.text_of(signed)
                    self.assertEqual(_numbers.integer(text), signed)
                    # The check is another way: by its remainder, and by how it begins and ends.
                    self.assertNotEqual(text.lstrip("-")[:1], "0" if value else "")
                    self.assertEqual(int(text[-9:].lstrip("-")), value % 10**9)
        self.assertEqual(_numbers.text_of(10**5000), "1" + "0" * 5000)
        self.assertEqual(_numbers.text_of(-(10**5000) + 1), "-" + "9" * 5000)
        self.assertEqual(_numbers.integer("-" + "9" * 5000), -(10**5000) + 1)

    def test_answers_have_the_type_they_are_told_with(self):
        def of(kind, text):
            return _numbers.answer({"type": kind, "value": text})

        self.assertEqual(of("integer", "-5"), -5)
        self.assertEqual(of("float", "0.1"), 0.1)
        self.assertTrue(math.isnan(of("float", "NaN")) and math.isinf(of("float", "inf")))
        self.assertEqual(of("decimal", "1.10"), decimal.Decimal("1.10"))

    def test_data_go_there_and_back(self):
        for value in [0, -(10**30), 1.5, -0.0, "", "a\0€", b"\0\xff", 10**5000]:
            back = _numbers.of_datum(_numbers.datum(value))
            self.assertEqual((type(back), back), (type(value), value))
        self.assertEqual(str(_numbers.of_datum(_numbers.datum(-0.0))), "-0.0")
        for bad in [None, [1], {}, object()]:
            with self.assertRaises(TypeError):
                _numbers.datum(bad)

    def test_lines_are_exact(self):
        self.assertEqual(_numbers.line_of(10**30), "1" + "0" * 30)
        self.assertEqual(_numbers.line_of(0.1), "0.1")
        self.assertEqual(_numbers.line_of(decimal.Decimal("1.10")), "1.10")
        self.assertEqual(_numbers.line_of(True), "1")
        self.assertEqual(_numbers.line_of(fractions.Fraction(-1, 4)), "-0.25")
        for bad in ["1", fractions.Fraction(1, 3), fractions.Fraction(10**400, 3)]:
            with self.assertRaises(TypeError):
                _numbers.line_of(bad)


if __name__ == "__main__":
    unittest.main()
