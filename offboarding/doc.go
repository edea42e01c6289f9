// Package offboarding is Handover's domain: its words, the rules that judge a
// request, the phases of a case, and the names of the Temporal contract.
//
// Everything here is a plain value or a pure function; the package imports the
// standard library only. Rules carry the number of the table in docs/rules.md
// (A1, E3, C1 and so on), and where a rule comes from the help page of another
// product, the comment names the page (seed 000 to 003).
package offboarding
