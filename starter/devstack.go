package main

import (
	"encoding/json"
	"os"
)

// devstack is how to reach the stack that runs in this directory for a laptop.
type devstack struct {
	DatabaseURL     string `json:"database_url"`
	TemporalAddress string `json:"temporal_address"`
}

// devstackFile is where a running devstack says how to reach it; the file has a
// password in it.
const devstackFile = ".handover/devstack.json"

// environment is the process's, completed from a devstack that runs in this
// directory. What is set wins.
type environment struct{}

// Environ is the process's.
func (environment) Environ() []string { return os.Environ() }

// LookupEnv finds a variable.
func (environment) LookupEnv(name string) (string, bool) {
	value, ok := os.LookupEnv(name)
	if ok && value != "" {
		return value, true
	}
	switch name {
	case "DATABASE_URL":
		return found(runningDevstack().DatabaseURL)
	case "TEMPORAL_ADDRESS":
		if os.Getenv("TEMPORAL_CONFIG_FILE") == "" && os.Getenv("TEMPORAL_PROFILE") == "" {
			return found(runningDevstack().TemporalAddress)
		}
	}
	return value, ok
}

func found(value string) (string, bool) { return value, value != "" }

// runningDevstack reads the connection of a devstack, empty when none runs here.
// A file that others can read or have put there is left alone.
func runningDevstack() devstack {
	var stack devstack
	info, err := os.Stat(devstackFile)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		return devstack{}
	}
	data, err := os.ReadFile(devstackFile)
	if err != nil || json.Unmarshal(data, &stack) != nil {
		return devstack{}
	}
	return stack
}
