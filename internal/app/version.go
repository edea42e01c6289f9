package app

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"handover/internal/config"
)

// versionOf says which version of which deployment a worker is; of none where nobody has
// named one. Open cases go on with whichever version is current: they last for weeks, and
// every build replays what older ones did.
func versionOf(cfg config.Worker) (worker.DeploymentOptions, error) {
	if cfg.Deployment == "" {
		return worker.DeploymentOptions{}, nil
	}
	build := cfg.BuildID
	if build == "" {
		var err error
		if build, err = executableID(); err != nil {
			return worker.DeploymentOptions{}, fmt.Errorf("name the build: %w", err)
		}
	}
	return worker.DeploymentOptions{
		UseVersioning:             true,
		Version:                   worker.WorkerDeploymentVersion{DeploymentName: cfg.Deployment, BuildID: build},
		DefaultVersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
	}, nil
}

// executableID names a build by its bytes: the same for every process of an image, and
// another for each that was built of something else.
func executableID() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	file, err := os.Open(path) //nolint:gosec // the program itself
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // only read
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}
