package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/lib/pq"

	"handover/offboarding"
)

// Error is a failure of the database that is safe to show and to keep in a
// history: what was being done and the SQLSTATE, never the driver's text, which
// may quote personal data. Raw has that text for those who look at the process
// itself. It does not unwrap, so that no converter copies the raw text along.
type Error struct {
	Op    string // what was being done
	State string // SQLSTATE, "" where the server did not answer
	Name  string // the condition's name
	raw   error
}

// Error says what failed, without the driver's text.
func (e *Error) Error() string {
	if e.State == "" {
		return e.Op + ": the database did not answer"
	}
	return fmt.Sprintf("%s: database error %s (%s)", e.Op, e.State, e.Name)
}

// Unavailable reports whether the database could not be asked, or had no time: to ask
// again later may help.
func (e *Error) Unavailable() bool {
	return e.State == "" || slices.ContainsFunc(unavailable, func(class string) bool { return strings.HasPrefix(e.State, class) })
}

// unavailable are the beginnings of SQLSTATEs: connection, resources, shutdown and
// recovery, and what was canceled, locked out or chosen by a deadlock.
var unavailable = []string{"08", "53", "57", "40001", "40P01", "55P03"}

// Raw is the driver's own error.
func (e *Error) Raw() error { return e.raw }

// guards are the constraints whose violation means that a rule said no in the
// transaction that acted.
var guards = map[string]*offboarding.Refusal{
	"members_last_owner": offboarding.Refuse("A3", offboarding.CodeLastOwner, "member_id",
		"the last active owner of an organization cannot be offboarded"),
	"documents_legal_hold": offboarding.Refuse("H1", offboarding.CodeLegalHold, "document_id",
		"a legal hold keeps the documents with their owner"),
	"members_seat_limit": offboarding.Refuse("R1", offboarding.CodeSeatLimitExceeded, "", "no seat is free"),
	"ownership_requests_one_pending": offboarding.Refuse("C2", offboarding.CodeAlreadyRequested, "document_id",
		"the member already has a pending request on this document"),
}

// The SQLSTATEs of a text that PostgreSQL never takes, as it is and within JSON: trying
// again is of no use, and only a caller's text can be the cause.
const (
	characterNotInRepertoire = "22021"
	untranslatableCharacter  = "22P05"
)

// clean makes an error safe: refusals and context errors pass, a guard becomes
// its refusal, everything else an Error.
func clean(op string, err error) error {
	if err == nil {
		return nil
	}
	var refusal *offboarding.Refusal
	var own *Error
	var again sentinel
	if errors.As(err, &refusal) || errors.As(err, &own) || errors.As(err, &again) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", op, err)
	}
	var pgErr *pq.Error
	if errors.As(err, &pgErr) {
		if guard, ok := guards[pgErr.Constraint]; ok {
			return guard
		}
		if pgErr.Code == characterNotInRepertoire || pgErr.Code == untranslatableCharacter {
			return offboarding.Refuse("", offboarding.CodeInvalidArgument, "", "a text has a character that cannot be kept: NUL, or no UTF-8")
		}
		return &Error{Op: op, State: string(pgErr.Code), Name: pgErr.Code.Name(), raw: err}
	}
	if errors.Is(err, driver.ErrBadConn) || errors.As(err, new(net.Error)) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Op: op, raw: err}
	}
	return &Error{Op: op, State: "XX000", Name: "internal", raw: err}
}

// sentinel is an error between functions of this package.
type sentinel string

func (s sentinel) Error() string { return string(s) }

// violates reports whether err is a violation of the named constraint.
func violates(err error, constraint string) bool {
	var pgErr *pq.Error
	return errors.As(err, &pgErr) && pgErr.Constraint == constraint
}
