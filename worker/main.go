// Command worker runs Handover's workflows and activities. `worker --help` lists
// its settings.
package main

import (
	_ "time/tzdata" // effective dates need time zones where the machine has none

	"handover/internal/app"
)

func main() { app.Main(app.WorkerCommand()) }
