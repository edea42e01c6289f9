package main

import "errors"

// scale is how much a run measures.
type scale string

const (
	quick scale = "quick" // three minutes
	usual scale = "usual" // a quarter of an hour: without what alone takes longer
	full  scale = "full"  // three quarters of an hour
)

var errScale = errors.New("it is quick, usual or full")

// Set takes a flag.
func (s *scale) Set(text string) error {
	switch scale(text) {
	case quick, usual, full:
		*s = scale(text)
		return nil
	}
	return errScale
}

func (s *scale) String() string { return string(*s) }

// Type is what the usage calls it.
func (s *scale) Type() string { return "scale" }

// scaled are the numbers of a run.
func scaled[T any](s scale, ofQuick, ofUsual, ofFull T) T {
	switch s {
	case quick:
		return ofQuick
	case usual:
		return ofUsual
	}
	return ofFull
}
