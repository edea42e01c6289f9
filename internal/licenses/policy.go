package main

// accepted are the licenses that a linked module may have, by their SPDX identifier.
// They ask that their text goes along with the program; MPL-2.0 also for the source of
// the module's own files, which are taken as they are.
var accepted = map[string]bool{
	"0BSD": true, "Apache-2.0": true, "BSD-2-Clause": true, "BSD-2-Clause-Views": true, "BSD-3-Clause": true, "ISC": true,
	"MIT": true, "MPL-2.0": true, publicDomain: true,
}

const publicDomain = "LicenseRef-Public-Domain"

// byHand are the modules whose files do not tell their license so that it is recognized,
// with where it was found. Another version is looked at again.
var byHand = map[string]found{
	"github.com/cactus/go-statsd-client/statsd@v0.0.0-20200423205355-cb0885a1018c": {
		"MIT", "`LICENSE.md` at the root of its repository, which the module's archive leaves out",
	},
	"github.com/nexus-rpc/nexus-proto-annotations@v0.1.0": {
		"MIT", "`LICENSE` at the root of its repository, which the module's archive leaves out",
	},
	"github.com/xi2/xz@v0.0.0-20171230120015-48954b6210f8": {publicDomain, "its `LICENSE` says so in its own words"},
	"modernc.org/libc@v1.72.3": {
		"BSD-2-Clause AND BSD-3-Clause AND MIT", "`LICENSE`, and `LICENSE-3RD-PARTY.md`, which is about musl and others in its own words",
	},
	"modernc.org/memory@v1.11.0": {"BSD-3-Clause", "`LICENSE` and those beside it; `LICENSE-LOGO` is about a picture"},
	"modernc.org/sqlite@v1.51.0": {"BSD-3-Clause AND " + publicDomain, "`LICENSE`, and `SQLITE-LICENSE`, which says so in its own words"},
}

// found is a license, and where it was found.
type found struct{ license, where string }
