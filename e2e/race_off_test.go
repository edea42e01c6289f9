//go:build !race

package e2e_test

// raceFlag builds the programs as the tests themselves are built.
const raceFlag = ""
