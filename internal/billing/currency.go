package billing

import "fmt"

// Currency is the alphabetic code of ISO 4217, such as USD.
type Currency string

// digits are the places of each currency's minor unit (ISO 4217): a cent is the second place of a dollar.
var digits = map[Currency]int{
	"AED": 2, "ARS": 2, "AUD": 2, "BDT": 2, "BHD": 3, "BRL": 2, "CAD": 2, "CHF": 2, "CLP": 0,
	"CNY": 2, "COP": 2, "CZK": 2, "DKK": 2, "EGP": 2, "EUR": 2, "GBP": 2, "GHS": 2, "HKD": 2, "HUF": 2,
	"IDR": 2, "ILS": 2, "INR": 2, "ISK": 0, "JOD": 3, "JPY": 0, "KES": 2, "KRW": 0, "KWD": 3, "LKR": 2,
	"MAD": 2, "MXN": 2, "MYR": 2, "NGN": 2, "NOK": 2, "NZD": 2, "OMR": 3, "PEN": 2, "PHP": 2, "PKR": 2,
	"PLN": 2, "QAR": 2, "RON": 2, "RSD": 2, "SAR": 2, "SEK": 2, "SGD": 2, "THB": 2, "TND": 3, "TRY": 2,
	"TWD": 2, "UAH": 2, "UGX": 0, "USD": 2, "UYU": 2, "VND": 0, "XAF": 0, "XOF": 0, "ZAR": 2,
}

// ParseCurrency reads a code in capitals. One that is not in the table is refused, since how to round it is not known.
func ParseCurrency(text string) (Currency, error) {
	c := Currency(text)
	if _, known := digits[c]; !known {
		return "", fmt.Errorf("%.40q is no currency known here: want a code of ISO 4217 in capitals, such as USD", text)
	}
	return c, nil
}

// minor is the least amount that can be paid in the currency, or one micro-unit where that is not known.
func (c Currency) minor() Micros {
	unit := one
	for range c.places() {
		unit /= 10
	}
	return unit
}

func (c Currency) places() int {
	if n, known := digits[c]; known {
		return n
	}
	return places
}

// Round returns the nearest amount that can be paid in the currency; what lies half way goes away from zero.
func (c Currency) Round(m Micros) Micros {
	unit := c.minor()
	rest := m % unit
	switch m -= rest; {
	case 2*rest >= unit:
		m += unit
	case 2*rest <= -unit:
		m -= unit
	}
	return m
}

// Text is an amount with the places of the minor unit at least: "12.30", "0.002", "1200" of JPY.
func (c Currency) Text(m Micros) string { return m.text(c.places()) }

// Format returns an amount for people, with the places of the minor unit at least: "12.30 USD", "0.002 USD", "1200 JPY".
func (c Currency) Format(m Micros) string { return c.Text(m) + " " + string(c) }
