import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.channels.FileChannel;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;

/** A correct vc store that gossips every PERIOD ms: a scheduler, a blocking queue, synchronized and wait. usage: java Runtimes [PERIOD] */
public class Runtimes {
    static String me;
    static final List<String> peers = new ArrayList<>();
    static Map<String, Object> db = new TreeMap<>(), counter = new TreeMap<>();
    static final Path file = Path.of(System.getenv().getOrDefault("SIBCHECK_DATA_DIR", "."), "db"), fresh = Path.of(file + ".new");
    static final BlockingQueue<Map<String, Object>> inbox = new LinkedBlockingQueue<>();
    static final Object lock = new Object();
    static final PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);

    public static void main(String[] arguments) throws Exception {
        long period = arguments.length > 0 ? Long.parseLong(arguments[0]) : 200;
        if (Files.exists(file)) {
            var saved = list(new Json(Files.readString(file)).value());
            db = map(saved.get(0));
            counter = map(saved.get(1));
        }
        for (int i = 0; i < 2; i++) {
            daemon(() -> {
                while (true) {
                    var message = inbox.poll(period, TimeUnit.MILLISECONDS);
                    if (message != null) synchronized (lock) {
                        boolean starts = me == null;
                        handle(message);
                        if (starts) lock.notifyAll();
                    }
                }
            });
        }
        daemon(() -> {
            synchronized (lock) { while (me == null) lock.wait(); }
            var random = new Random();
            while (true) {
                synchronized (lock) { lock.wait(period / 2 + random.nextLong(period)); gossip(random); }
            }
        });
        var scheduler = Executors.newScheduledThreadPool(2, work -> { var t = new Thread(work); t.setDaemon(true); return t; });
        var random = new Random();
        scheduler.scheduleAtFixedRate(() -> { synchronized (lock) { gossip(random); } }, period, 2 * period, TimeUnit.MILLISECONDS);
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) inbox.put(map(new Json(line).value()));
        System.exit(0);
    }

    interface Work { void run() throws Exception; }

    static void daemon(Work work) {
        var thread = new Thread(() -> { try { work.run(); } catch (Exception e) { e.printStackTrace(); System.exit(1); } });
        thread.setDaemon(true);
        thread.start();
    }

    @SuppressWarnings("unchecked") static Map<String, Object> map(Object o) { return (Map<String, Object>) o; }
    @SuppressWarnings("unchecked") static List<Object> list(Object o) { return (List<Object>) o; }

    static boolean covers(Map<String, Object> a, Map<String, Object> b) {
        return b.entrySet().stream().allMatch(e -> number(a.get(e.getKey())) >= number(e.getValue()));
    }
    static long number(Object o) { return o == null ? 0 : Long.parseLong(o.toString()); }

    static void add(String key, Object sibling) {
        var clock = map(map(sibling).get("vc"));
        var siblings = list(db.computeIfAbsent(key, k -> new ArrayList<>()));
        if (siblings.stream().anyMatch(s -> covers(map(map(s).get("vc")), clock))) return;
        siblings.removeIf(s -> covers(clock, map(map(s).get("vc"))));
        siblings.add(sibling);
    }

    static void gossip(Random random) {
        if (!peers.isEmpty() && !db.isEmpty()) send(peers.get(random.nextInt(peers.size())), new TreeMap<>(Map.of("type", "all", "db", db)));
    }

    static void send(Object dest, Map<String, Object> body) {
        out.print(Json.text(Map.of("src", me, "dest", dest, "body", body)) + "\n");
        out.flush();
    }

    static void save() throws IOException {
        Files.writeString(fresh, Json.text(List.of(db, counter)));
        try (var channel = FileChannel.open(fresh, StandardOpenOption.WRITE)) { channel.force(true); }
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
    }

    static void handle(Map<String, Object> m) throws IOException {
        var b = map(m.get("body"));
        var key = (String) b.get("key");
        Map<String, Object> answer = new TreeMap<>();
        switch ((String) b.get("type")) {
            case "init" -> {
                me = (String) b.get("node_id");
                for (Object n : list(b.get("node_ids"))) if (!n.equals(me)) peers.add((String) n);
                answer.put("type", "init_ok");
            }
            case "vc_write" -> {
                String actor = m.get("src") + "@" + me, id = key + " " + actor;
                Map<String, Object> clock = new TreeMap<>(map(b.get("context")));
                long n = Math.max(number(counter.get(id)), number(clock.get(actor))) + 1;
                counter.put(id, n);
                clock.put(actor, n);
                add(key, new TreeMap<>(Map.of("value", b.get("value"), "vc", clock)));
                save();
                answer.putAll(Map.of("type", "vc_write_ok", "key", key, "vc", clock));
            }
            case "vc_read" -> answer.putAll(Map.of("type", "vc_read_ok", "values", db.getOrDefault(key, List.of())));
            case "all" -> {
                map(b.get("db")).forEach((k, siblings) -> list(siblings).forEach(s -> add(k, s)));
                save();
                return;
            }
            default -> answer.putAll(Map.of("type", "error", "code", 10, "text", "what is " + b.get("type")));
        }
        answer.put("in_reply_to", b.get("msg_id"));
        send(m.get("src"), answer);
    }

    /** As much of JSON as there is here: numbers, true, false and null stay text. */
    static class Json {
        final String text;
        int at;
        Json(String text) { this.text = text; }
        record Bare(String text) { public String toString() { return text; } }
        char peek() { while (text.charAt(at) == ' ') at++; return text.charAt(at); }
        Object value() {
            switch (peek()) {
                case '{' -> {
                    at++;
                    Map<String, Object> map = new TreeMap<>();
                    while (peek() != '}') {
                        if (peek() == ',') at++;
                        var name = (String) value();
                        peek(); at++;
                        map.put(name, value());
                    }
                    at++;
                    return map;
                }
                case '[' -> {
                    at++;
                    List<Object> list = new ArrayList<>();
                    while (peek() != ']') { if (peek() == ',') at++; list.add(value()); }
                    at++;
                    return list;
                }
                case '"' -> {
                    var string = new StringBuilder();
                    for (at++; text.charAt(at) != '"'; at++) {
                        char c = text.charAt(at);
                        if (c == '\\') {
                            c = text.charAt(++at);
                            if (c == 'u') { c = (char) Integer.parseInt(text.substring(at + 1, at + 5), 16); at += 4; }
                            else c = switch (c) { case 'n' -> '\n'; case 't' -> '\t'; case 'r' -> '\r'; case 'b' -> '\b'; case 'f' -> '\f'; default -> c; };
                        }
                        string.append(c);
                    }
                    at++;
                    return string.toString();
                }
                default -> {
                    int from = at;
                    while (at < text.length() && ",]} ".indexOf(text.charAt(at)) < 0) at++;
                    return new Bare(text.substring(from, at));
                }
            }
        }
        static String text(Object o) {
            if (o instanceof Map<?, ?> map) {
                var parts = new StringJoiner(",", "{", "}");
                map.forEach((k, v) -> parts.add(text(k) + ":" + text(v)));
                return parts.toString();
            }
            if (o instanceof List<?> list) {
                var parts = new StringJoiner(",", "[", "]");
                list.forEach(v -> parts.add(text(v)));
                return parts.toString();
            }
            if (!(o instanceof String string)) return o.toString();
            var quoted = new StringBuilder("\"");
            for (char c : string.toCharArray()) {
                if (c < ' ' || c > '~') quoted.append(String.format("\\u%04x", (int) c));
                else if (c == '"' || c == '\\') quoted.append('\\').append(c);
                else quoted.append(c);
            }
            return quoted.append('"').toString();
        }
    }
}
