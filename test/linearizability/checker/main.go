// Whether histories of requests to one backup are linearizable: whether each request can have happened at one instant
// between its call and its return, in an order that the model below explains. The search is Porcupine's.
//
// Reads a history a line, as JSON, and prints a verdict a line: "ok", "illegal" or "too long".
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

const checkFor = 60 * time.Second

// Request names factors and contents. Which members there are depends on the operation.
type Request struct {
	Operation string
	By        string // the factor that signs
	Target    string // the factor to add or to remove
	Main      string // the factors of a creation
	Sync      string
	Current   string // the content that the client believes is current
	Next      string // the content to store or to restore
	Version   string // the version that has it, as in Backup
	Token     string // the sync factor token, which a recovery by By has returned
}

// Response: "ok", "refused", "overtaken" (its commit lost a race and changed nothing) or "unknown". What a recovery returns.
type Response struct {
	Outcome  string
	Content  string
	Versions []string
	Mains    []string
	Syncs    []string
	Token    string
}

// Entry has times in nanoseconds.
type Entry struct {
	Client   int
	Call     int64
	Return   int64
	Request  Request
	Response Response
}

// Backup has lists in one string each, so that states can be compared. A version is content/id. Which id the service gave
// it is not known before a recovery shows it; until then the id is empty. Clients have ids from recoveries alone.
type Backup struct {
	Content, Versions, Mains, Syncs string
}

const maxDeletions = 24

// As VERSIONS_KEEP_LAST, MAX_MAIN_FACTORS and MAX_SYNC_FACTORS.
const maxVersions, maxMains, maxSyncs = 2, 3, 3

type State struct {
	Exists bool
	Stored Backup
	// What deletions set aside, the last one at the end.
	Kept      [maxDeletions]Backup
	Deletions int
	// The sync factor tokens that clients have and that were not used, sorted.
	Tokens string
	// The sync factors that have deleted a backup: they may repeat that.
	Deleters string
}

func has(list, name string) bool {
	for _, other := range strings.Fields(list) {
		if other == name {
			return true
		}
	}
	return false
}

func with(list, name string) string { return strings.TrimSpace(list + " " + name) }

func without(list, name string) string {
	var kept []string
	for _, other := range strings.Fields(list) {
		if other != name {
			kept = append(kept, other)
		}
	}
	return strings.Join(kept, " ")
}

func sorted(list string) string {
	names := strings.Fields(list)
	sort.Strings(names)
	return strings.Join(names, " ")
}

func isFull(list string, max int) bool { return len(strings.Fields(list)) >= max }

// The newest first.
func versionsAfter(replaced, earlier string) string {
	names := append([]string{replaced + "/"}, strings.Fields(earlier)...)
	if len(names) > maxVersions {
		names = names[:maxVersions]
	}
	return strings.Join(names, " ")
}

// The versions with the ids that a recovery shows; false where it shows others.
func identified(versions string, shown []string) (string, bool) {
	names := strings.Fields(versions)
	if len(names) != len(shown) {
		return versions, false
	}
	for nth, name := range names {
		isUnknown := strings.HasSuffix(name, "/") && strings.HasPrefix(shown[nth], name)
		if name != shown[nth] && !isUnknown {
			return versions, false
		}
	}
	return strings.Join(shown, " "), true
}

// The state after a request that succeeds; false where it cannot succeed.
func apply(state State, request Request) (State, bool) {
	backup := &state.Stored
	switch request.Operation {
	case "create":
		if state.Exists {
			return state, false
		}
		state.Exists = true
		*backup = Backup{Content: request.Next, Mains: request.Main, Syncs: request.Sync}
		return state, true
	case "undelete":
		if state.Exists {
			return state, false
		}
		for nth := state.Deletions - 1; nth >= 0; nth-- {
			if has(state.Kept[nth].Mains, request.By) {
				state.Exists = true
				*backup = state.Kept[nth]
				copy(state.Kept[nth:], state.Kept[nth+1:])
				state.Deletions--
				state.Kept[state.Deletions] = Backup{}
				return state, true
			}
		}
		return state, false
	case "reset":
		if !state.Exists && state.Deletions == 0 {
			return state, false
		}
		return State{Deleters: state.Deleters, Tokens: state.Tokens}, true
	}
	if !state.Exists {
		return state, false
	}
	switch request.Operation {
	case "retrieve":
		return state, has(backup.Mains, request.By)
	case "sync":
		if !has(backup.Syncs, request.By) || backup.Content != request.Current {
			return state, false
		}
		backup.Versions = versionsAfter(backup.Content, backup.Versions)
		backup.Content = request.Next
		return state, true
	case "restore-version":
		if !has(backup.Syncs, request.By) || backup.Content != request.Current || !has(backup.Versions, request.Version) {
			return state, false
		}
		backup.Versions = versionsAfter(backup.Content, without(backup.Versions, request.Version))
		backup.Content = request.Next
		return state, true
	case "add-factor":
		if !has(backup.Mains, request.By) || has(backup.Mains, request.Target) || isFull(backup.Mains, maxMains) {
			return state, false
		}
		backup.Mains = with(backup.Mains, request.Target)
		return state, true
	case "add-sync-factor":
		// a token is void without the main factor that recovered
		if !has(state.Tokens, request.Token) || !has(backup.Mains, request.By) {
			return state, false
		}
		if has(backup.Syncs, request.Target) || isFull(backup.Syncs, maxSyncs) {
			return state, false
		}
		backup.Syncs = with(backup.Syncs, request.Target)
		state.Tokens = without(state.Tokens, request.Token)
		return state, true
	case "delete-factor":
		if !has(backup.Syncs, request.By) || !has(backup.Syncs, request.Target) {
			return state, false
		}
		backup.Syncs = without(backup.Syncs, request.Target)
		return state, true
	case "delete-backup":
		if !has(backup.Syncs, request.By) || state.Deletions == maxDeletions {
			return state, false
		}
		deleted := *backup
		deleted.Syncs = without(deleted.Syncs, request.By)
		state.Kept[state.Deletions] = deleted
		state.Deletions++
		state.Deleters = with(without(state.Deleters, request.By), request.By)
		state.Exists = false
		*backup = Backup{}
		return state, true
	}
	panic("unknown operation " + request.Operation)
}

// The state after a recovery that shows the backup; false where it shows another than the state has.
func recovered(state State, response Response) (State, bool) {
	versions, isSame := identified(state.Stored.Versions, response.Versions)
	state.Stored.Versions = versions
	shown := Backup{
		Content:  response.Content,
		Versions: versions,
		Mains:    strings.Join(response.Mains, " "),
		Syncs:    strings.Join(response.Syncs, " "),
	}
	state.Tokens = sorted(with(state.Tokens, response.Token))
	return state, isSame && shown == state.Stored
}

func step(anyState, anyRequest, anyResponse interface{}) (bool, interface{}) {
	state, request, response := anyState.(State), anyRequest.(Request), anyResponse.(Response)
	next, possible := apply(state, request)
	isRepeated := request.Operation == "delete-backup" && has(state.Deleters, request.By)
	switch response.Outcome {
	case "ok":
		if !possible {
			return isRepeated, state
		}
		if request.Operation == "retrieve" {
			after, isSame := recovered(state, response)
			return isSame, after
		}
		return true, next
	case "refused":
		return !possible || isRepeated, state
	case "overtaken":
		return true, state
	case "unknown": // it returns at the end of time, so one that changes nothing is one that comes after all others
		return true, next
	}
	panic("unknown outcome " + response.Outcome)
}

func main() {
	model := porcupine.Model{Init: func() interface{} { return State{} }, Step: step}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64*1024*1024)
	for lines.Scan() {
		var entries []Entry
		if err := json.Unmarshal(lines.Bytes(), &entries); err != nil {
			panic(err)
		}
		history := make([]porcupine.Operation, len(entries))
		for nth, entry := range entries {
			history[nth] = porcupine.Operation{
				ClientId: entry.Client,
				Input:    entry.Request,
				Call:     entry.Call,
				Output:   entry.Response,
				Return:   entry.Return,
			}
		}
		switch porcupine.CheckOperationsTimeout(model, history, checkFor) {
		case porcupine.Ok:
			fmt.Println("ok")
		case porcupine.Illegal:
			fmt.Println("illegal")
		default:
			fmt.Println("too long")
		}
	}
	if err := lines.Err(); err != nil {
		panic(err)
	}
}
