package workflows

import "go.temporal.io/sdk/workflow"

// gate lets work on single documents go on side by side, and what changes the
// case itself happen alone.
type gate struct {
	shared    int
	exclusive bool
}

func (g *gate) idle() bool { return g.shared == 0 && !g.exclusive }

// exclusively runs fn alone.
func (c *offboardingCase) exclusively(ctx workflow.Context, fn func() error) error {
	if err := workflow.Await(ctx, func() bool { return !c.gate.exclusive }); err != nil {
		return err
	}
	c.gate.exclusive = true
	defer func() { c.gate.exclusive = false }()
	if err := workflow.Await(ctx, func() bool { return c.gate.shared == 0 }); err != nil {
		return err
	}
	return fn()
}

// together runs fn beside others that do the same.
func (c *offboardingCase) together(ctx workflow.Context, fn func() error) error {
	if err := workflow.Await(ctx, func() bool { return !c.gate.exclusive }); err != nil {
		return err
	}
	c.gate.shared++
	defer func() { c.gate.shared-- }()
	return fn()
}
