// A thread of the Java machine.
import java.net.InetSocketAddress;
import java.net.Socket;

class Child {
    static String verdict = "blocked no answer";

    public static void main(String[] words) throws Exception {
        Thread thread = new Thread(Child::dial);
        thread.start();
        thread.join();
        System.out.println(verdict);
        System.exit(verdict.startsWith("leaked") ? 10 : 0);
    }

    static void dial() {
        try (Socket outside = new Socket()) {
            outside.setSoTimeout(1500);
            outside.connect(new InetSocketAddress("45.79.0.1", 443), 1500);
            outside.getOutputStream().write("probe\n".getBytes());
            byte[] said = outside.getInputStream().readNBytes(5);
            if (new String(said).equals("heard")) verdict = "leaked answered";
        } catch (Exception error) {
            verdict = "blocked " + error.getMessage();
        }
    }
}
