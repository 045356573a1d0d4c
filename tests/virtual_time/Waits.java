// Waits in every way that Java has, and says for how long it did by its clock.
import java.util.concurrent.*;
import java.util.concurrent.locks.LockSupport;

public class Waits {
    interface Wait { void run() throws Exception; }

    static void row(String name, Wait wait) throws Exception {
        long began = System.nanoTime();
        wait.run();
        System.out.println(name + " " + (System.nanoTime() - began) / 1_000_000);
    }

    public static void main(String[] words) throws Exception {
        row("sleep", () -> Thread.sleep(137));
        row("wait", () -> { Object lock = new Object(); synchronized (lock) { lock.wait(137); } });
        row("parkNanos", () -> LockSupport.parkNanos(137_000_000));
        row("poll", () -> new LinkedBlockingQueue<Integer>().poll(137, TimeUnit.MILLISECONDS));
        row("await", () -> new CountDownLatch(1).await(137, TimeUnit.MILLISECONDS));
        row("join", () -> {
            Thread thread = new Thread(() -> LockSupport.parkNanos(137_000_000));
            thread.start();
            thread.join();
        });
        ScheduledExecutorService timers = Executors.newScheduledThreadPool(2);
        row("schedule", () -> timers.schedule(() -> {}, 137, TimeUnit.MILLISECONDS).get());
        row("scheduleAtFixedRate", () -> {
            CountDownLatch left = new CountDownLatch(10);
            timers.scheduleAtFixedRate(left::countDown, 10, 10, TimeUnit.MILLISECONDS);
            left.await();
        });
        timers.shutdownNow();
    }
}
