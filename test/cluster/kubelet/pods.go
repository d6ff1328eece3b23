package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// pod is a Pod that runs. Its containers share one folder.
type pod struct {
	name       string
	uid        types.UID
	containers map[string]bool
	folder     string // the working directory of each command
	log        podLog
	ctx        context.Context // ends with the Pod
	cancel     context.CancelFunc

	mutex    sync.Mutex
	ended    bool
	commands sync.WaitGroup
}

// begin counts a command that runs in the Pod. It returns false after the end of the Pod.
func (p *pod) begin() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if !p.ended {
		p.commands.Add(1)
	}
	return !p.ended
}

// end kills all commands of the Pod and returns when the last one is gone.
func (p *pod) end() error {
	p.mutex.Lock()
	p.ended = true
	p.mutex.Unlock()
	p.cancel()
	p.commands.Wait()
	return os.RemoveAll(p.folder)
}

// pods holds the Pods that run, by namespace and name.
type pods struct {
	client kubernetes.Interface
	node   string
	folder string
	mutex  sync.Mutex
	byName map[string]*pod
}

func newPods(client kubernetes.Interface, node, folder string) *pods {
	return &pods{client: client, node: node, folder: folder, byName: map[string]*pod{}}
}

// find returns the running Pod with this container. The name of the container is empty for a request to the whole Pod.
func (s *pods) find(namespace, name, container string) (*pod, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	p, ok := s.byName[namespace+"/"+name]
	if !ok {
		return nil, fmt.Errorf("pod %q does not exist", name)
	}
	if container != "" && !p.containers[container] {
		return nil, fmt.Errorf("container %q not found in pod %q", container, name)
	}
	return p, nil
}

// watch starts and ends Pods as the API server says, until the context ends.
func (s *pods) watch(ctx context.Context) {
	bound := fields.OneTermEqualSelector("spec.nodeName", s.node)
	_, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(s.client.CoreV1().RESTClient(), "pods", metav1.NamespaceAll, bound),
		ObjectType:    &corev1.Pod{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { s.see(ctx, object.(*corev1.Pod)) },
			UpdateFunc: func(_, object any) { s.see(ctx, object.(*corev1.Pod)) },
			DeleteFunc: func(object any) {
				if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
					object = unknown.Obj
				}
				report(s.stop(object.(*corev1.Pod)))
			},
		},
	})
	controller.Run(ctx.Done())
}

func (s *pods) see(ctx context.Context, object *corev1.Pod) {
	if object.DeletionTimestamp == nil {
		report(s.start(ctx, object))
		return
	}
	report(errors.Join(s.stop(object), s.remove(ctx, object)))
}

func (s *pods) start(ctx context.Context, object *corev1.Pod) error {
	key := object.Namespace + "/" + object.Name
	s.mutex.Lock()
	before, ok := s.byName[key]
	s.mutex.Unlock()
	if ok && before.uid == object.UID {
		return nil
	}
	if ok {
		// A watch that was interrupted may miss the end of the Pod that had the name before.
		report(before.end())
	}
	p := &pod{
		name: object.Name, uid: object.UID, containers: map[string]bool{},
		folder: filepath.Join(s.folder, string(object.UID)), log: podLog{start: time.Now()},
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	for _, container := range object.Spec.Containers {
		p.containers[container.Name] = true
	}
	if err := os.Mkdir(p.folder, 0o700); err != nil {
		return err
	}
	s.mutex.Lock()
	s.byName[key] = p
	s.mutex.Unlock()
	// A client may use the Pod as soon as its status says "running", so the status is written last.
	return s.writeStatus(ctx, object, runningStatus(object, metav1.NewTime(p.log.start)))
}

func (s *pods) stop(object *corev1.Pod) error {
	key := object.Namespace + "/" + object.Name
	s.mutex.Lock()
	p, ok := s.byName[key]
	if ok && p.uid == object.UID {
		delete(s.byName, key)
	} else {
		p = nil
	}
	s.mutex.Unlock()
	if p == nil {
		return nil
	}
	return p.end()
}

// remove deletes a Pod object. The API server keeps the object of a bound Pod until its kubelet deletes it.
func (s *pods) remove(ctx context.Context, object *corev1.Pod) error {
	now := int64(0)
	err := s.client.CoreV1().Pods(object.Namespace).Delete(ctx, object.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &object.UID},
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// removeAll ends and deletes every Pod of the Node. The watch has ended before.
func (s *pods) removeAll(ctx context.Context) error {
	var problems []error
	for _, p := range s.byName {
		problems = append(problems, p.end())
	}
	list, err := s.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + s.node})
	if err != nil {
		return errors.Join(append(problems, err)...)
	}
	for _, object := range list.Items {
		problems = append(problems, s.remove(ctx, &object))
	}
	return errors.Join(problems...)
}

func (s *pods) writeStatus(ctx context.Context, object *corev1.Pod, status corev1.PodStatus) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": object.UID}, "status": status})
	if err != nil {
		return err
	}
	_, err = s.client.CoreV1().Pods(object.Namespace).Patch(ctx, object.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

func runningStatus(object *corev1.Pod, start metav1.Time) corev1.PodStatus {
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &start,
		HostIP: "127.0.0.1", PodIP: "127.0.0.1", PodIPs: []corev1.PodIP{{IP: "127.0.0.1"}},
	}
	for _, condition := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: start})
	}
	started := true
	for _, container := range object.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Image: container.Image, ImageID: container.Image,
			ContainerID: fmt.Sprintf("process://%s/%s", object.UID, container.Name), Ready: true, Started: &started,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: start}},
		})
	}
	return status
}

func report(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "kubelet:", err)
	}
}
