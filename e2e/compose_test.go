package e2e_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// TestComposeFile reads the file as docker compose would, as far as that goes
// without it.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docker-compose.yml")
	require.NoError(t, err)
	var file struct {
		Services map[string]struct {
			Image       string         `yaml:"image"`
			Build       string         `yaml:"build"`
			Environment map[string]any `yaml:"environment"`
			Ports       []string       `yaml:"ports"`
			Volumes     []string       `yaml:"volumes"`
			DependsOn   map[string]struct {
				Condition string `yaml:"condition"`
			} `yaml:"depends_on"`
			Healthcheck map[string]any `yaml:"healthcheck"`
		} `yaml:"services"`
		Volumes map[string]any `yaml:"volumes"`
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	require.NotEmpty(t, file.Services)
	secret := regexp.MustCompile(`(?i)pass|pwd|secret|token|key`)
	for name, service := range file.Services {
		if service.Build == "" {
			require.Regexp(t, `^[a-z0-9./-]+:\d+(\.\d+)*(-[a-z0-9.]+)?$`, service.Image, "%s: the version is pinned", name)
		}
		for variable, value := range service.Environment {
			if text, _ := value.(string); secret.MatchString(variable) {
				require.Regexp(t, `^\$\{[A-Z_]+:(\?.+|-)\}$`, text, "%s: %s comes from outside, and its absence is said or is no mistake", name, variable)
			} else {
				require.NotRegexp(t, `://[^/@]*:[^/@]*@`, text, "%s: %s has a password in it", name, variable)
			}
		}
		for _, port := range service.Ports {
			require.True(t, strings.HasPrefix(port, "127.0.0.1:"), "%s: %s is open to the network", name, port)
		}
		for _, volume := range service.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if strings.HasPrefix(source, "./") {
				require.FileExists(t, "../"+source)
			} else {
				require.Contains(t, file.Volumes, source)
			}
		}
		for other, on := range service.DependsOn {
			require.Contains(t, file.Services, other, name)
			if on.Condition == "service_healthy" {
				require.Contains(t, file.Services[other].Healthcheck, "test", "%s waits for the health of %s", name, other)
			}
		}
	}
}
