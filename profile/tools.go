package profile

import (
	"math"
	"slices"
	"strings"

	"decnet/repo"
)

// toolSet is a set of tools: bit i stands for the i-th of allTools.
type toolSet uint32

// The tools. The order is that of the bits in stored states: append only.
const (
	toolCobaltStrike toolSet = 1 << iota
	toolSliver
	toolHavoc
	toolMythic
	toolNmap
	toolGophish
	toolNikto
	toolSqlmap
	toolNuclei
	toolMasscan
	toolZgrab
	toolMetasploit
	toolCurl
	toolPythonRequests
	toolGobuster
	toolDirbuster
	toolHydra
	toolWfuzz
	toolsEnd
)

func allTools() [18]string {
	return [...]string{
		"cobalt_strike", "sliver", "havoc", "mythic", "nmap", "gophish", "nikto", "sqlmap", "nuclei",
		"masscan", "zgrab", "metasploit", "curl", "python_requests", "gobuster", "dirbuster", "hydra", "wfuzz",
	}
}

// beatProfiles are the default beats of command-and-control implants: mean IAT
// in seconds and CV, each with its tolerance.
func beatProfiles() [4]beatProfile {
	return [...]beatProfile{
		{toolCobaltStrike, 60, 8, 0.20, 0.05},
		{toolSliver, 60, 10, 0.30, 0.08},
		{toolHavoc, 45, 8, 0.10, 0.03},
		{toolMythic, 30, 6, 0.15, 0.03},
	}
}

type beatProfile struct {
	tool                           toolSet
	mean, meanWithin, cv, cvWithin float64
}

// beatTools guesses tools from the beat. An attacker may run several, so all
// that match are named.
func beatTools(t *repo.Timing) toolSet {
	if t.Mean == nil || t.CV == nil {
		return 0
	}
	// Bounds are inclusive; binary fractions must not make 0.25 lie outside of 0.20±0.05.
	const slack = 1e-9
	mean, cv := decisive(t)
	var found toolSet
	for _, p := range beatProfiles() {
		if math.Abs(mean-p.mean) <= p.meanWithin+slack && math.Abs(cv-p.cv) <= p.cvWithin+slack {
			found |= p.tool
		}
	}
	return found
}

// maxHeader is how much of a header is searched for a tool's name, in bytes.
const maxHeader = 2 << 10

// headerTools recognises tools by what they call themselves in User-Agent and
// X-Mailer, in any case of letters.
func headerTools(userAgent, mailer string) toolSet {
	var found toolSet
	if userAgent != "" {
		ua := strings.ToLower(clip(userAgent, maxHeader))
		for _, t := range userAgentTokens() {
			if strings.Contains(ua, t.token) {
				found |= t.tool
			}
		}
		// Only at the beginning: libcurl inside another program is not curl.
		if strings.HasPrefix(ua, "curl/") {
			found |= toolCurl
		}
	}
	if mailer != "" && strings.Contains(strings.ToLower(clip(mailer, maxHeader)), "gophish") {
		found |= toolGophish
	}
	return found
}

type toolToken struct {
	tool  toolSet
	token string
}

func userAgentTokens() [12]toolToken {
	return [...]toolToken{
		{toolNmap, "nmap scripting engine"},
		{toolNikto, "nikto"},
		{toolSqlmap, "sqlmap"},
		{toolNuclei, "nuclei"},
		{toolMasscan, "masscan"},
		{toolZgrab, "zgrab"},
		{toolMetasploit, "metasploit"},
		{toolPythonRequests, "python-requests"},
		{toolGobuster, "gobuster"},
		{toolDirbuster, "dirbuster"},
		{toolHydra, "hydra"},
		{toolWfuzz, "wfuzz"},
	}
}

// toolNames lists a set in ascending order; never nil.
func toolNames(set toolSet) []string {
	names := []string{}
	for i, name := range allTools() {
		if set&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
