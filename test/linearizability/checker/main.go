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
	Next      string // the content to store, or the version to restore
}

// Response: "ok", "refused", "overtaken" (its commit lost a race and changed nothing) or "unknown". What a recovery returns.
type Response struct {
	Outcome  string
	Content  string
	Versions []string
	Mains    []string
	Syncs    []string
}

// Entry has times in nanoseconds.
type Entry struct {
	Client   int
	Call     int64
	Return   int64
	Request  Request
	Response Response
}

// Backup has lists in one string each, so that states can be compared.
type Backup struct {
	Content, Versions, Mains, Syncs string
}

const maxDeletions = 24

type State struct {
	Exists bool
	Stored Backup
	// What deletions set aside, the last one at the end.
	Kept      [maxDeletions]Backup
	Deletions int
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

// As VERSIONS_KEEP_LAST: the newest two, the newest first.
func versionsAfter(replaced, earlier string) string {
	names := append([]string{replaced}, strings.Fields(earlier)...)
	if len(names) > 2 {
		names = names[:2]
	}
	return strings.Join(names, " ")
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
		return State{Deleters: state.Deleters}, true
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
		if !has(backup.Syncs, request.By) || backup.Content != request.Current || !has(backup.Versions, request.Next) {
			return state, false
		}
		backup.Versions = versionsAfter(backup.Content, without(backup.Versions, request.Next))
		backup.Content = request.Next
		return state, true
	case "add-factor":
		if !has(backup.Mains, request.By) || has(backup.Mains, request.Target) {
			return state, false
		}
		backup.Mains = with(backup.Mains, request.Target)
		return state, true
	case "add-sync-factor":
		if has(backup.Syncs, request.Target) {
			return state, false
		}
		backup.Syncs = with(backup.Syncs, request.Target)
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

// What a refusal depends on is not all in the model: tokens, and the ids of versions.
var mayBeRefused = map[string]bool{"add-sync-factor": true, "restore-version": true}

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
			shown := Backup{
				Content:  response.Content,
				Versions: strings.Join(response.Versions, " "),
				Mains:    strings.Join(response.Mains, " "),
				Syncs:    strings.Join(response.Syncs, " "),
			}
			return shown == state.Stored, state
		}
		return true, next
	case "refused":
		return !possible || isRepeated || mayBeRefused[request.Operation], state
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
