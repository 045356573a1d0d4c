// Waits in every way that Go has, and says for how long it did by its clock.
package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const span = 137 * time.Millisecond

func row(name string, wait func()) {
	began := time.Now()
	wait()
	fmt.Println(name, time.Since(began).Milliseconds())
}

func main() {
	row("sleep", func() { time.Sleep(span) })
	row("after", func() { <-time.After(span) })
	row("ticker", func() {
		ticker := time.NewTicker(10 * time.Millisecond)
		for i := 0; i < 10; i++ {
			<-ticker.C
		}
	})
	row("select", func() {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-time.After(span):
		}
	})
	row("context", func() {
		ctx, cancel := context.WithTimeout(context.Background(), span)
		defer cancel()
		<-ctx.Done()
	})
	row("goroutines", func() {
		var all sync.WaitGroup
		for i := 1; i <= 137; i++ {
			all.Add(1)
			go func(i int) {
				defer all.Done()
				time.Sleep(time.Duration(i) * time.Millisecond)
			}(i)
		}
		all.Wait()
	})
}
