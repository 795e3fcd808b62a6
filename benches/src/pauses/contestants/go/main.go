// The workloads in Go. Arguments: the workload's name and the sizes as JSON. Prints one measurement as JSON.
//
// Random numbers, texts and checksums are those of random.rs; what a workload does is described in forest.rs, splay.rs,
// lru.rs and bursts.rs.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type churnSizes struct {
	Trees    uint32 `json:"trees"`
	Replaced uint32 `json:"replaced"`
}

var sizes struct {
	LiveTrees       churnSizes `json:"live_trees"`
	SplayNodes      uint32     `json:"splay_nodes"`
	SplayOperations uint32     `json:"splay_operations"`
	LruCapacity     uint32     `json:"lru_capacity"`
	LruOperations   uint32     `json:"lru_operations"`
	Sessions        uint32     `json:"sessions"`
	Requests        uint32     `json:"requests"`
	GrowingTrees    uint32     `json:"growing_trees"`
	EventLoop       churnSizes `json:"event_loop"`
}

// Measuring.

// The runtime remembers so many collections.
const remembered = 256

// How many operations lie between two looks at what the runtime remembers.
const lookEvery = 256

var (
	begunWall time.Time
	begunCPU  int64
	pauses    [][2]float64
	seen      int64
	stats     debug.GCStats
	undone    int
)

func cpuNs() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func begin() {
	debug.ReadGCStats(&stats)
	seen = stats.NumGC
	pauses = nil
	begunWall = time.Now()
	begunCPU = cpuNs()
}

// operationDone fetches the pauses of the last collections before the runtime forgets them.
func operationDone() {
	if undone++; undone%lookEvery == 0 {
		look()
	}
}

func look() {
	debug.ReadGCStats(&stats)
	fresh := stats.NumGC - seen
	if fresh > remembered {
		panic("more collections between two looks than the runtime remembers")
	}
	// The newest comes first.
	for at := fresh - 1; at >= 0; at-- {
		length := stats.Pause[at]
		start := stats.PauseEnd[at].Add(-length).Sub(begunWall)
		pauses = append(pauses, [2]float64{float64(start.Nanoseconds()), float64(length.Nanoseconds())})
	}
	seen = stats.NumGC
}

func end(operations uint64, checksum func() uint64) {
	cpu := cpuNs() - begunCPU
	wall := time.Since(begunWall)
	peak := peakRssBytes()
	look()
	if pauses == nil {
		pauses = [][2]float64{}
	}
	printed, err := json.Marshal(map[string]any{
		"ns":             cpu,
		"wall_ns":        wall.Nanoseconds(),
		"operations":     operations,
		"checksum":       checksum(),
		"peak_rss_bytes": peak,
		"pauses":         pauses,
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(printed))
}

func peakRssBytes() *uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil
	}
	for _, line := range strings.Split(string(status), "\n") {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			if kibibytes, err := strconv.ParseUint(fields[1], 10, 64); err == nil {
				bytes := kibibytes * 1024
				return &bytes
			}
		}
	}
	return nil
}

// Random numbers and texts.

var state uint32 = 0x74756d75

func next() uint32 {
	state ^= state << 13
	state ^= state >> 17
	state ^= state << 5
	return state
}

func below(bound uint32) uint32 { return next() % bound }

func scatter(number uint32) uint32 { return number * 0x9e3779b1 }

const starts = 4096

var letters = func() []byte {
	letters := make([]byte, starts+128)
	for at := range letters {
		letters[at] = byte('a' + (at*7+(at>>5))%26)
	}
	return letters
}()

// A string of its own: a slice of a string would only refer to the letters.
func text(number uint32) string {
	start := number % starts
	return string(letters[start : start+16+(number>>12)%113])
}

func sumOf(text string) uint64 { return uint64(len(text)) + uint64(text[0]) }

// Trees.

type tree struct {
	left, right *tree
	value       uint64
}

func balanced(nodes, value uint32) *tree {
	if nodes == 0 {
		return nil
	}
	half := (nodes - 1) / 2
	left := balanced(half, value)
	right := balanced(nodes-1-half, value)
	return &tree{left, right, uint64(value)}
}

func sumTree(tree *tree) uint64 {
	if tree == nil {
		return 0
	}
	return tree.value + sumTree(tree.left) + sumTree(tree.right)
}

type planter struct {
	forest  []*tree
	planted uint32
	nodes   uint64
}

func (planter *planter) plant(place uint32) {
	const smallest, largest = 64, 190
	nodes := smallest + below(largest+1-smallest)
	planter.planted++
	planter.nodes += uint64(nodes)
	planter.forest[place] = balanced(nodes, planter.planted)
	operationDone()
}

func (planter *planter) end() {
	end(planter.nodes, func() (sum uint64) {
		for _, tree := range planter.forest {
			sum += sumTree(tree)
		}
		return sum
	})
}

func churn(sizes churnSizes) {
	planter := planter{forest: make([]*tree, sizes.Trees)}
	for place := uint32(0); place < sizes.Trees; place++ {
		planter.plant(place)
	}
	planter.nodes = 0
	begin()
	for each := uint32(0); each < sizes.Replaced; each++ {
		planter.plant(below(sizes.Trees))
	}
	planter.end()
}

func growing() {
	planter := planter{forest: make([]*tree, sizes.GrowingTrees)}
	begin()
	for place := uint32(0); place < sizes.GrowingTrees; place++ {
		planter.plant(place)
	}
	planter.end()
}

// The splay tree.

const payloadDepth = 5

type splayNode struct {
	key         float64
	left, right *splayNode
	payload     any
}

type branch struct{ left, right any }

type leaf struct {
	numbers *[10]float64
	text    string
}

func payload(depth int, number uint32, text []byte) any {
	if depth == 0 {
		numbers := new([10]float64)
		for at := range numbers {
			numbers[at] = float64(number&0xffff + uint32(at))
		}
		return &leaf{numbers, string(text)}
	}
	left := payload(depth-1, number, text)
	right := payload(depth-1, number, text)
	return &branch{left, right}
}

func sumPayload(payload any) uint64 {
	switch payload := payload.(type) {
	case *branch:
		return sumPayload(payload.left) + sumPayload(payload.right)
	case *leaf:
		sum := 0.0
		for _, number := range payload.numbers {
			sum += number
		}
		return uint64(sum) + uint64(len(payload.text))
	default:
		return 0
	}
}

var root *splayNode

func splay(root *splayNode, key float64) *splayNode {
	hook := &splayNode{}
	left, right, current := hook, hook, root
loop:
	for {
		switch {
		case key < current.key:
			child := current.left
			if child == nil {
				break loop
			}
			if key < child.key {
				current.left = child.right
				child.right = current
				current = child
				if child = current.left; child == nil {
					break loop
				}
			}
			right.left = current
			right = current
			current = child
		case key > current.key:
			child := current.right
			if child == nil {
				break loop
			}
			if key > child.key {
				current.right = child.left
				child.left = current
				current = child
				if child = current.right; child == nil {
					break loop
				}
			}
			left.right = current
			left = current
			current = child
		default:
			break loop
		}
	}
	left.right = current.left
	right.left = current.right
	current.left = hook.right
	current.right = hook.left
	return current
}

func newNode(key float64, number uint32) *splayNode {
	text := []byte("String for key " + strconv.FormatUint(uint64(number), 10) + " in leaf node")
	return &splayNode{key: key, payload: payload(payloadDepth, number, text)}
}

func add(key float64, number uint32) bool {
	if root == nil {
		root = newNode(key, number)
		return true
	}
	root = splay(root, key)
	if root.key == key {
		return false
	}
	node := newNode(key, number)
	if key > root.key {
		node.left = root
		node.right = root.right
		root.right = nil
	} else {
		node.right = root
		node.left = root.left
		root.left = nil
	}
	root = node
	return true
}

func greatestBelow(key float64) (float64, bool) {
	root = splay(root, key)
	if root.key < key {
		return root.key, true
	}
	greatest := root.left
	if greatest == nil {
		return 0, false
	}
	for greatest.right != nil {
		greatest = greatest.right
	}
	return greatest.key, true
}

func remove(key float64) {
	root = splay(root, key)
	greater := root.right
	if root.left == nil {
		root = greater
	} else {
		root = splay(root.left, key)
		root.right = greater
	}
}

func addRandom() float64 {
	for {
		number := next()
		key := float64(number) / 4294967296
		if add(key, number) {
			return key
		}
	}
}

func checksumSplay() (sum uint64) {
	var pending []*splayNode
	at := root
	for {
		for ; at != nil; at = at.left {
			pending = append(pending, at)
		}
		if len(pending) == 0 {
			return sum
		}
		at = pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		sum += uint64(at.key*4294967296) + sumPayload(at.payload)
		at = at.right
	}
}

func splayWorkload() {
	for each := uint32(0); each < sizes.SplayNodes; each++ {
		addRandom()
	}
	begin()
	for each := uint32(0); each < sizes.SplayOperations; each++ {
		key := addRandom()
		if lesser, found := greatestBelow(key); found {
			key = lesser
		}
		remove(key)
		operationDone()
	}
	end(uint64(sizes.SplayOperations), checksumSplay)
}

// The cache: a map, and a list through its entries that an entry closes.

type entry struct {
	newer, older *entry
	text         string
	key          uint32
}

func unlist(entry *entry) {
	entry.newer.older = entry.older
	entry.older.newer = entry.newer
}

func lru() {
	table := make(map[uint32]*entry)
	ends := &entry{}
	ends.newer, ends.older = ends, ends
	var hits, sum uint64
	begin()
	for each := uint32(0); each < sizes.LruOperations; each++ {
		bound := sizes.LruCapacity * 4 >> (next() & 3)
		key := below(bound)
		found, hit := table[key]
		if hit {
			hits++
			unlist(found)
		} else {
			if uint32(len(table)) >= sizes.LruCapacity {
				oldest := ends.newer
				unlist(oldest)
				delete(table, oldest.key)
			}
			found = &entry{key: key, text: text(scatter(key))}
			table[key] = found
		}
		found.newer = ends
		found.older = ends.older
		found.older.newer = found
		ends.older = found
		sum += sumOf(found.text)
		operationDone()
	}
	end(uint64(sizes.LruOperations), func() uint64 { return sum*31 + hits })
}

// The server.

const (
	levels   = 5
	children = 4
	changed  = 8
	cart     = 8
)

type element struct {
	first, sibling *element
	text           string
	tag            uint32
}

type session struct {
	text   string
	cart   *item
	visits uint32
}

type item struct {
	next   *item
	number uint32
}

var objects uint64

func newElement(level int, sibling *element) *element {
	var first *element
	if level < levels {
		for child := 0; child < children; child++ {
			first = newElement(level+1, first)
		}
	}
	number := next()
	objects += 2
	return &element{first, sibling, text(number), number >> 24}
}

func sumElement(element *element) (sum uint64) {
	for ; element != nil; element = element.sibling {
		sum += uint64(element.tag) + sumOf(element.text) + sumElement(element.first)
	}
	return sum
}

func (session *session) visit() {
	number := next()
	if session.visits%cart == cart-1 {
		session.cart = nil
	}
	session.cart = &item{session.cart, number}
	session.visits++
	session.text = text(number)
}

func bursts() {
	sessions := make([]*session, sizes.Sessions)
	for at := range sessions {
		sessions[at] = &session{}
		sessions[at].visit()
	}
	var sum uint64
	begin()
	for request := uint32(0); request < sizes.Requests; request++ {
		sum += sumElement(newElement(0, nil))
		for each := 0; each < changed; each++ {
			sessions[below(sizes.Sessions)].visit()
		}
		operationDone()
	}
	end(objects, func() uint64 {
		for _, session := range sessions {
			sum += sumOf(session.text)
			for item := session.cart; item != nil; item = item.next {
				sum += uint64(item.number)
			}
		}
		return sum
	})
}

func main() {
	if err := json.Unmarshal([]byte(os.Args[2]), &sizes); err != nil {
		panic(err)
	}
	switch os.Args[1] {
	case "live-trees":
		churn(sizes.LiveTrees)
	case "splay":
		splayWorkload()
	case "lru":
		lru()
	case "bursts":
		bursts()
	case "growing":
		growing()
	case "event-loop":
		churn(sizes.EventLoop)
	default:
		panic("no such workload: " + os.Args[1])
	}
}
