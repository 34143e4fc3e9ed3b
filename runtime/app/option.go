package app

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Check reads one value given to the option and gives it as Input has it. The error says what is expected, and not of which option.
func (o *Option) Check(text string) (string, error) {
	v, n, err := o.Kind.check(text)
	if err != nil {
		return "", err
	}
	if err := chosen(text, o.Choices); err != nil {
		return "", err
	}
	if o.Min != nil && n < *o.Min || o.Max != nil && n > *o.Max {
		return "", errors.New("expected " + o.Limits())
	}
	return v, nil
}

// Limits says what Min and Max allow: "at least 1", "1 to 10"; "" if everything.
func (o *Option) Limits() string {
	write := func(n float64) string {
		if o.Kind == Duration {
			return strconv.FormatFloat(n, 'g', -1, 64) + "s"
		}
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	switch {
	case o.Min == nil && o.Max == nil:
		return ""
	case o.Min == nil:
		return "at most " + write(*o.Max)
	case o.Max == nil:
		return "at least " + write(*o.Min)
	}
	return write(*o.Min) + " to " + write(*o.Max)
}

// Check reads one value given for the argument and gives it as Input has it.
func (a *Argument) Check(text string) (string, error) {
	v, _, err := a.Kind.check(text)
	if err != nil {
		return "", err
	}
	return v, chosen(text, a.Choices)
}

// check reads text as the kind; n is the number that limits apply to (seconds of a duration).
func (k Kind) check(text string) (v string, n float64, err error) {
	switch k {
	case Int:
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "", 0, errors.New("expected a whole number")
		}
		return strconv.FormatInt(i, 10), float64(i), nil
	case Float:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return "", 0, errors.New("expected a number")
		}
		return text, f, nil
	case Bool:
		b, err := ParseBool(text)
		return strconv.FormatBool(b), 0, err
	case Duration:
		d, err := ParseDuration(text)
		return strconv.FormatFloat(d.Seconds(), 'f', -1, 64), d.Seconds(), err
	case Path:
		if text == "" {
			return "", 0, errors.New("expected a path")
		}
	}
	return text, 0, nil
}

func chosen(text string, choices []string) error {
	if len(choices) == 0 {
		return nil
	}
	for _, c := range choices {
		if c == text {
			return nil
		}
	}
	return &ChoiceError{Text: text, Choices: choices}
}

// ChoiceError is a text that is none of the choices there are.
type ChoiceError struct {
	Text    string
	Choices []string
}

func (e *ChoiceError) Error() string { return "expected one of: " + strings.Join(e.Choices, ", ") }
