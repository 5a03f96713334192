package cli

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/virga-cloud/virga/api"
)

// completion offers words for the argument that is being typed. It asks the
// daemon, and offers nothing when that does not answer.
type completion = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

func anyPhase(api.Phase) bool  { return true }
func running(p api.Phase) bool { return !p.Ended() }
func stopped(p api.Phase) bool { return p.Ended() }
func paused(p api.Phase) bool  { return p == api.PhasePaused }

// completeInstances offers the names of instances in some phases for the first
// most arguments; most < 0 is all.
func (a *App) completeInstances(in func(api.Phase) bool, most int) completion {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if most >= 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveDefault
		}
		list, err := a.api().Instances(cmd.Context(), api.InstanceFilter{})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, i := range list {
			if in(i.Status.Phase) && !slices.Contains(args, i.Name) {
				names = append(names, i.Name+"\t"+string(i.Status.Phase)+" "+i.Spec.Image)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeImages offers the names of images for the first argument.
func (a *App) completeImages(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return a.completeAllImages(cmd, args, "")
}

// completeAllImages offers the names of images for every argument.
func (a *App) completeAllImages(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	list, err := a.api().Images(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, i := range list {
		for _, n := range i.Names {
			if !slices.Contains(args, n) {
				names = append(names, n)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *App) completeVolumes(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	list, err := a.api().Volumes(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, v := range list {
		if !slices.Contains(args, v.Name) {
			names = append(names, v.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *App) completeTypes(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	list, err := a.api().Types(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, t := range list {
		if !slices.Contains(args, t.Name) {
			names = append(names, t.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *App) completeNetworks(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	list, err := a.api().Networks(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, n := range list {
		if !slices.Contains(args, n.Name) {
			names = append(names, n.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
