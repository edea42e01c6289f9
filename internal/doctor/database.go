package doctor

import (
	"context"
	"fmt"
	"slices"

	"handover/offboarding"
	"handover/postgres"
)

// lookForGuards looks whether the database refuses what must never be.
func (d *doctor) lookForGuards(ctx context.Context) error {
	if !d.wants(offboarding.DriftGuards) {
		return nil
	}
	missing, err := d.Store.GuardsMissing(ctx)
	for _, name := range missing {
		if err == nil {
			err = d.treat(ctx, offboarding.Finding{Drift: offboarding.DriftGuards, Detail: name}, nil)
		}
	}
	return err
}

// lookIntoDatabase looks for what the database shows by itself.
func (d *doctor) lookIntoDatabase(ctx context.Context) error {
	for _, drift := range postgres.Drifts() {
		if !d.wants(drift) {
			continue
		}
		err := d.pages(ctx, drift, func(f offboarding.Finding) error {
			s := suspect{Finding: f, again: func(ctx context.Context) (offboarding.Finding, bool, error) {
				still, err := d.Store.HasDrift(ctx, f)
				if err == nil && still && drift == offboarding.DriftNotLocked {
					still, err = d.notLocking(ctx, f)
				}
				return f, still, err
			}}
			if !offboarding.CheckOf(drift).Human {
				s.mend = func(ctx context.Context) error { return d.Store.MendDrift(ctx, f, d.repair()) }
			}
			return d.suspect(ctx, s)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// notLocking says whether the documents of a case are not just being locked: of very many
// that takes a while.
func (d *doctor) notLocking(ctx context.Context, f offboarding.Finding) (bool, error) {
	c, open, err := d.Store.OpenCase(ctx, f.CaseID)
	if err != nil || !open {
		return false, err
	}
	e, _, err := d.latest(ctx, c.WorkflowID, typeOf(c))
	return err == nil && !slices.Contains(e.Doing, "LockDocuments"), err
}

// pages goes through the rows of a drift.
func (d *doctor) pages(ctx context.Context, drift offboarding.Drift, each func(offboarding.Finding) error) error {
	for after := ""; ; {
		page, err := d.Store.FindDrift(ctx, drift, d.OrganizationID, after, pageSize)
		if err != nil {
			return err
		}
		for _, f := range page {
			if err := each(f); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
		after = postgres.DriftKey(page[len(page)-1])
	}
}

// explained are the drifts that only a person can mend, by the promises that they break.
var explained = map[string]offboarding.Drift{
	postgres.InvariantNotStuck:     offboarding.DriftStuck,
	postgres.InvariantEveryUnowned: offboarding.DriftInactiveWithDocuments,
}

// lookAtInvariants checks the promises once nothing is left that could be mended and
// would explain why one is broken. They are of all organizations.
func (d *doctor) lookAtInvariants(ctx context.Context) error {
	if !d.wants(offboarding.DriftInvariant) || d.OrganizationID != "" || d.mendable > 0 {
		return nil
	}
	invariants, err := d.Store.CheckInvariants(ctx)
	if err != nil {
		return err
	}
	for _, i := range invariants {
		if i.Holds() || d.left[explained[i.Name]] != nil {
			continue
		}
		f := offboarding.Finding{Drift: offboarding.DriftInvariant, Detail: fmt.Sprintf("%s: %d, such as %s", i.Name, i.Broken, i.Sample)}
		if err := d.treat(ctx, f, nil); err != nil {
			return err
		}
	}
	return nil
}
