package testdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"

	"github.com/XSAM/otelsql"
)

// Statements are what a database was asked, for a test of how much somebody makes it do.
//
//	asked := &testdb.Statements{}
//	store, err := postgres.OpenBy(asked.Open, testdb.URL(t), 4)
type Statements struct {
	mu    sync.Mutex
	texts []string
}

// Open is sql.OpenDB.
func (s *Statements) Open(connector driver.Connector) *sql.DB {
	return otelsql.OpenDB(connector, otelsql.WithSpanOptions(otelsql.SpanOptions{SpanFilter: s.note}))
}

func (s *Statements) note(_ context.Context, method otelsql.Method, text string, _ []driver.NamedValue) bool {
	switch method {
	case otelsql.MethodConnQuery, otelsql.MethodConnExec, otelsql.MethodStmtQuery, otelsql.MethodStmtExec:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.texts = append(s.texts, text)
	}
	return false
}

// Taken are the statements since it was asked last.
func (s *Statements) Taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	texts := s.texts
	s.texts = nil
	return texts
}
