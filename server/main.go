// Command server answers Handover's HTTP API. `server --help` lists its settings.
package main

import (
	_ "time/tzdata" // effective dates need time zones where the machine has none

	"handover/internal/app"
)

func main() { app.Main(app.ServerCommand()) }
