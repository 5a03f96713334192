package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// completion offers words for the argument that is being typed. It asks the
// daemon, and offers nothing when that does not answer.
type completion = func(*command.Command, []string, string) ([]string, command.Completion)

func anyPhase(api.Phase) bool  { return true }
func running(p api.Phase) bool { return !p.Ended() }
func stopped(p api.Phase) bool { return p.Ended() }
func paused(p api.Phase) bool  { return p == api.PhasePaused }

// completeInstances offers the names of instances in some phases for the first
// most arguments; most < 0 is all.
func (a *App) completeInstances(in func(api.Phase) bool, most int) completion {
	return func(cmd *command.Command, args []string, _ string) ([]string, command.Completion) {
		if most >= 0 && len(args) >= most {
			return nil, command.Files
		}
		list, err := a.api().Instances(cmd.Context(), api.InstanceFilter{})
		if err != nil {
			return nil, command.WordsOnly
		}
		var names []string
		for _, i := range list {
			if in(i.Status.Phase) && !slices.Contains(args, i.Name) {
				names = append(names, i.Name+"\t"+string(i.Status.Phase)+" "+i.Spec.Image)
			}
		}
		return names, command.WordsOnly
	}
}

// completeImages offers the names of images for the first argument.
func (a *App) completeImages(cmd *command.Command, args []string, _ string) ([]string, command.Completion) {
	if len(args) > 0 {
		return nil, command.Files
	}
	return a.completeAllImages(cmd, args, "")
}

// completeAllImages offers the names of images for every argument.
func (a *App) completeAllImages(cmd *command.Command, args []string, _ string) ([]string, command.Completion) {
	list, err := a.api().Images(cmd.Context())
	if err != nil {
		return nil, command.WordsOnly
	}
	var names []string
	for _, i := range list {
		for _, n := range i.Names {
			if !slices.Contains(args, n) {
				names = append(names, n)
			}
		}
	}
	return names, command.WordsOnly
}

// completeAnything offers the names of all that inspect finds.
func (a *App) completeAnything(cmd *command.Command, args []string, word string) ([]string, command.Completion) {
	var all []string
	for _, offer := range []completion{a.completeInstances(anyPhase, -1), a.completeAllImages, a.completeVolumes(), a.completeNetworks()} {
		words, _ := offer(cmd, args, word)
		all = append(all, words...)
	}
	return all, command.WordsOnly
}

// completeNames offers the names of all objects of a kind that are not given
// yet. A line is a name, or a name, a tab and what it is.
func completeNames[T any](client func() *api.Client, list func(*api.Client, context.Context) ([]T, error), line func(T) string) completion {
	return func(cmd *command.Command, args []string, _ string) ([]string, command.Completion) {
		all, err := list(client(), cmd.Context())
		if err != nil {
			return nil, command.WordsOnly
		}
		var lines []string
		for _, v := range all {
			if name, _, _ := strings.Cut(line(v), "\t"); !slices.Contains(args, name) {
				lines = append(lines, line(v))
			}
		}
		return lines, command.WordsOnly
	}
}

func (a *App) completeVolumes() completion {
	return completeNames(a.api, (*api.Client).Volumes, func(v api.Volume) string { return v.Name })
}

func (a *App) completeTypes() completion {
	return completeNames(a.api, (*api.Client).Types, func(t api.InstanceType) string { return t.Name })
}

func (a *App) completeNetworks() completion {
	return completeNames(a.api, (*api.Client).Networks, func(n api.Network) string { return n.Name })
}

func (a *App) completeTokens() completion {
	return completeNames(a.api, (*api.Client).Tokens, func(t api.Token) string { return t.Name })
}
